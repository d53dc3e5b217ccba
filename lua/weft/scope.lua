-- SPDX-License-Identifier: MIT
-- Structured scopes: the body runs in the calling fiber; the scope ends when its children have; the
-- first error cancels the rest and is raised at the scope.
local core = require "weft.core"
local frames = require "weft.frames"
local report = require "weft.report"

local protected = require "weft.pcall"
local scope_drained, scope_close, scope_fail = core.scope_drained, core.scope_close, core.scope_fail
local scope_open, scope_leave = core.scope_open, core.scope_leave
local no_options = {}
local unpack = table.unpack or unpack -- luacheck: ignore
local perform, self_fiber = frames.perform, core.self

local defers = setmetatable({}, { __mode = "k" })
local known_options = { name = true, timeout = true, deadline = true }

-- Traces of errors on their way from the message handler to the scope, by fiber.
local traces = setmetatable({}, { __mode = "k" })

return function(weft)
  local is_cancelled = weft.is_cancelled

  local function trace(e)
    if not is_cancelled(e) then traces[self_fiber()] = protected.trace() end
    return e
  end

  -- What the body's own error means: an interruption by a scope around, or a failure.
  local function body_failed(s, e)
    local me = self_fiber()
    if is_cancelled(e) and rawequal(e.fiber, me) and s:status() ~= "open" then return true end
    local known = e ~= nil and report.going_on(me, e)
    local info = {
      value = e, fiber = known and known.fiber or me, title = known and known.title or report.title(me),
      spawned = known and known.spawned or report.spawned(me),
      traceback = known and known.traceback or traces[me] or "", others = known and known.others,
      origin = known and (known.origin or known),
    }
    traces[me] = nil
    report.remember(info)
    report.add(s, info)
    scope_fail(s)
    return false
  end

  local function outcome(s, e, interrupted, cut, list, timed_out, own, around, ...)
    local first = report.first(list)
    if first then report.raise(first) end
    if timed_out then error(report.errors.timeout.new { scope = core.scope_name(s) or "unnamed" }, 0) end
    if interrupted then
      if around or not own then error(e, 0) end
      return
    end
    -- Cancelled from around while it waited: what its children should have done is not done.
    if cut and around then error(report.cancelled(core.self()), 0) end
    return ...
  end

  -- s:defer: last in first out, when the children have ended. A failure in one is one of the scope's.
  local function run_defers(s)
    local list = defers[s]
    while list and #list > 0 do
      local f = table.remove(list)
      local ok, e = protected.xpcall(f, trace)
      if not ok then body_failed(s, e) end
    end
    defers[s] = nil
  end

  local function ended(s, ok, ...)
    if ok and scope_leave(s) then return ... end
    local e, interrupted = nil, false
    if not ok then
      e = (...)
      interrupted = body_failed(s, e)
    end
    local drained, waits = scope_drained(s)
    perform(drained)
    local cut = waits and s:status() == "cancelled"
    if defers[s] then
      run_defers(s)
      perform(scope_drained(s))
    end
    local list, timed_out, own, around = scope_close(s)
    return outcome(s, e, interrupted, cut, list, timed_out, own, around, ...)
  end

  local function check(opts, f)
    if type(opts) == "function" and f == nil then return no_options, opts end
    if opts ~= nil and type(opts) ~= "table" then
      core.misuse(("bad argument #1 to 'scope' (function expected, got %s)"):format(type(opts)))
    end
    if type(f) ~= "function" then
      core.misuse(("bad argument #%d to 'scope' (function expected, got %s)"):format(opts and 2 or 1, type(f)))
    end
    for key in pairs(opts or no_options) do
      if not known_options[key] then core.misuse(("unknown option '%s' of scope"):format(tostring(key))) end
    end
    return opts or no_options, f
  end

  local function run_scope(opts, body)
    local s = scope_open(opts.name, opts.timeout, opts.deadline, false)
    return ended(s, protected.xpcall(body, trace, s))
  end

  function weft.scope(opts, f) return run_scope(check(opts, f)) end

  -- Hides the scopes around while f runs: clean-up may wait although its fiber is cancelled. Deadlines of
  -- scopes opened inside still count.
  function weft.shield(f, ...)
    if type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'shield' (function expected, got %s)"):format(type(f)))
    end
    local arguments, n = { ... }, select("#", ...)
    local s = scope_open("shield", nil, nil, true)
    return ended(s, protected.xpcall(function() return f(unpack(arguments, 1, n)) end, trace))
  end

  -- A scope as an operation: it runs in a fiber of its own from the perform on; lost or cancelled, it is
  -- cancelled and joined before the choice returns.
  function weft.scope_op(opts, f)
    local options, body = check(opts, f)
    return weft.guard(function()
      local child = core.async(function() return run_scope(options, body) end)
      return child:join_op():on_abort(function()
        child:cancel("lost in a choice")
        weft.shield(function() protected.pcall(child.join, child) end)
      end)
    end)
  end

  local scope = core.method_table "scope"
  function scope:defer(f)
    if type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'defer' (function expected, got %s)"):format(type(f)))
    end
    if not core.scope_has_defers(self) then
      core.misuse "'defer' on a scope that has ended"
    end
    local list = defers[self] or {}
    defers[self] = list
    list[#list + 1] = f
  end

  function scope:errors()
    local list, values = core.scope_failures(self) or {}, {}
    for i = 1, #list do values[i] = list[i].value end
    return values
  end
  weft.pcall, weft.xpcall = protected.pcall, protected.xpcall
end
