-- SPDX-License-Identifier: MIT
-- Operations that are made up anew for each perform: guard, with_nack, on_abort, bracket. A perform forces
-- them: guards run, and what is left is a choice of plain arms, each with its wraps and with the nacks that
-- stand around it. Nacks are Reppy's: one is signalled exactly when its arm was in a performed choice and
-- did not win, before the performer goes on; all of them when the perform is cancelled.
local core = require "weft.core"
local frames = require "weft.frames"
local protected = require "weft.pcall"
local report = require "weft.report"
local ensure = require "weft.ensure"

local arms, dynamic, choose, wrap = core.arms, core.dynamic, core.choose, core.wrap
local perform, winner = frames.perform, core.winner

local function check_function(f, name)
  if type(f) ~= "function" then
    core.misuse(("bad argument #1 to '%s' (function expected, got %s)"):format(name, type(f)))
  end
end

local function check_operation(op, name)
  if not core.is_type("operation", op) then
    core.misuse(("%s: its function gave a %s, not an operation"):format(name, type(op)))
  end
  return op
end

-- A chain of wraps, innermost first: how core.choice keeps them (nil, a function or an array), and ours.
local function extended(chain, more)
  if more == nil then return chain end
  local list = {}
  for i = 1, #chain do list[i] = chain[i] end
  if type(more) == "function" then
    list[#list + 1] = more
  else
    for i = 1, #more do list[#list + 1] = more[i] end
  end
  return list
end

local no_wraps, no_nacks = {}, {}

local function with(nacks, nack)
  local list = { nack }
  for i = 1, #nacks do list[#list + 1] = nacks[i] end
  return list
end

-- One nack: an operation that is ready once it is signalled. Its function, if any, runs at the signal.
local function new_nack(all, f)
  local nack = { signalled = false, on_signal = f }
  all[#all + 1] = nack
  return nack
end

local function nack_op(nack)
  return core.base_op(function() return nack.signalled end, function(s)
    local waiting = nack.waiting or {}
    nack.waiting = waiting
    waiting[s] = true
    s:on_done(function() waiting[s] = nil end)
  end)
end

local function signal(nack)
  if nack.signalled then return end
  nack.signalled = true
  local waiting = nack.waiting
  nack.waiting = nil
  for s in pairs(waiting or {}) do s:complete() end
  if nack.on_signal then nack.on_signal() end
end

-- Signals the nacks that are not in the list of the winner.
local function signal_losers(all, won)
  for i = 1, #won do won[won[i]] = true end
  local first_error
  for i = 1, #all do
    if not won[all[i]] then
      local ok, e = protected.pcall(signal, all[i])
      if not ok and first_error == nil then first_error = e end
    end
  end
  for i = 1, #won do won[won[i]] = nil end
  if first_error ~= nil then error(first_error, 0) end
end

-- The nacks of an arm that raised: it had won, but a bracket around it has not released yet.
local function but_brackets(nacks)
  local list = {}
  for i = 1, #nacks do
    if not nacks[i].release then list[#list + 1] = nacks[i] end
  end
  return list
end

local expand

-- What each kind of dynamic arm turns into.
local kinds = {}

function kinds.guard(node, out, wraps, nacks)
  expand(check_operation(node.f(), "guard"), out, wraps, nacks)
end

function kinds.nack(node, out, wraps, nacks)
  local nack = new_nack(out.nacks)
  local op = wrap(nack_op(nack), function() end)
  expand(check_operation(node.f(op), "with_nack"), out, wraps, with(nacks, nack))
end

function kinds.abort(node, out, wraps, nacks)
  expand(node.op, out, wraps, with(nacks, new_nack(out.nacks, node.f)))
end

local function released(nack)
  nack.signalled = true
  nack.release(nack.resource, false)
end

-- The resource stands beside the nacks: a loss releases it, an error before the release does, and the arm
-- that wins does when the wraps inside have run.
function kinds.bracket(node, out, wraps, nacks)
  local r, release = node.acquire(), node.release
  local nack = new_nack(out.nacks, function() release(r, true) end)
  nack.resource, nack.release = r, release
  local op, before, had_default = check_operation(node.use(r), "bracket"), #out, out.default
  expand(op, out, no_wraps, with(nacks, nack))
  for i = before + 1, #out do
    local inside = out[i].wraps
    local function whole(...) return ensure.call(released, nack, frames.apply, inside, ...) end
    out[i].wraps = extended({ whole }, wraps)
  end
  if not had_default and out.default then out.default_wraps = extended(out.default_wraps, wraps) end
end

-- Appends the plain arms of op. wraps: those around it, to run after its own.
function expand(op, out, wraps, nacks)
  local n, parts, node = arms(op)
  if node then return kinds[node.kind](node, out, wraps, nacks) end
  if not parts then
    out[#out + 1] = { op = op, wraps = wraps, nacks = nacks }
    return
  end
  if parts[0] then
    if out.default then core.misuse "a choice with two defaults (or_else)" end
    out.default, out.default_wraps = parts[0], wraps
  end
  for i = 1, n do
    local chain = extended(no_wraps, parts[n + i])
    expand(parts[i], out, extended(chain, wraps), nacks)
  end
end

-- tags[i] puts the index of an arm in front of its values.
local tags = setmetatable({}, {
  __index = function(self, i)
    local function tag(...) return i, ... end
    self[i] = tag
    return tag
  end,
})

local function took_default() return 0 end

local function tagged(out)
  local list = {}
  for i = 1, #out do list[i] = wrap(out[i].op, tags[i]) end
  return choose(list)
end

local function finish(out, i, ...)
  if i == 0 then
    signal_losers(out.nacks, {})
    return frames.apply(extended(extended(no_wraps, out.default), out.default_wraps), ...)
  end
  local arm = out[i]
  signal_losers(out.nacks, arm.nacks)
  return frames.apply(arm.wraps, ...)
end

-- A perform that raised: the arm that won did (a put to a closed channel), or it was cancelled.
local function settled(out, ok, ...)
  if ok then return finish(out, ...) end
  local arm = out[winner() or 0]
  signal_losers(out.nacks, arm and but_brackets(arm.nacks) or no_nacks)
  error((...), 0)
end

local function build(op)
  local out = { nacks = {} }
  local ok, e = protected.xpcall(expand, ensure.trace, op, out, no_wraps, no_nacks)
  if ok then return out end
  signal_losers(out.nacks, {})
  ensure.raise_again(e)
end

local function perform_forced(op)
  local out = build(op)
  local plain = tagged(out)
  if out.default then plain = plain:or_else(took_default) end
  return settled(out, protected.pcall(perform, plain))
end

-- Tries: nothing ready is a loss for all.
local function tried(out, ok, done, i, ...)
  if not ok then return settled(out, ok, done) end
  if done then return true, finish(out, i, ...) end
  if out.default then return true, finish(out, 0) end
  signal_losers(out.nacks, {})
  return false
end

local operation = core.method_table "operation"
local function try_forced(op)
  local out = build(op)
  return tried(out, protected.pcall(operation.try, tagged(out)))
end

function report.hooks.force(op, may_wait)
  if may_wait then return perform_forced(op) end
  return try_forced(op)
end

return function(weft)
  function weft.guard(f)
    check_function(f, "guard")
    return dynamic { kind = "guard", f = f }
  end

  function weft.with_nack(f)
    check_function(f, "with_nack")
    return dynamic { kind = "nack", f = f }
  end

  function operation:on_abort(f)
    check_function(f, "on_abort")
    if not core.is_type("operation", self) then
      core.misuse(("bad argument #1 to 'on_abort' (operation expected, got %s)"):format(type(self)))
    end
    return dynamic { kind = "abort", op = self, f = f }
  end

  -- A resource for the time of one perform: release(r, lost) runs once, whoever wins.
  function weft.bracket(acquire, release, use)
    check_function(acquire, "bracket")
    check_function(release, "bracket")
    check_function(use, "bracket")
    return dynamic { kind = "bracket", acquire = acquire, release = release, use = use }
  end
end
