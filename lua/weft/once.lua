-- SPDX-License-Identifier: MIT
-- weft.once(f): a function that runs f with the arguments of its first call; whoever calls it meanwhile
-- waits, and all get the same results. An error of f is raised to all as well. But when the fiber that runs f
-- is cancelled there is no result: the next caller runs f.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"
local ensure = require "weft.ensure"
local protected = require "weft.pcall"
local report = require "weft.report"

local unpack = table.unpack or unpack -- luacheck: ignore
local perform, self_fiber = frames.perform, core.self

local function ended(o, ok, ...)
  o.runner = nil
  if ok then
    o.results, o.n = { ... }, select("#", ...)
    o.waiters:serve_all()
    return ...
  end
  local e = ...
  if ensure.is_cancelled(e) then
    o.waiters:serve()
    error(e, 0)
  end
  o.failure = ensure.caught(e)
  o.waiters:serve_all()
  report.raise(o.failure)
end

local function run(o, ...)
  o.runner = self_fiber() or true
  return ended(o, protected.xpcall(o.f, ensure.trace, ...))
end

local function call(o, ...)
  while o.runner do
    if o.runner == self_fiber() then core.misuse "the function of a once calls the once itself" end
    perform(o.op)
  end
  if o.results then return unpack(o.results, 1, o.n) end
  if o.failure then report.raise(o.failure) end
  return run(o, ...)
end

local kind = {
  name = "a once",
  held = "that is run by",
  holders = function(o) return { o.runner ~= true and o.runner or nil } end,
}

return function(weft)
  function weft.once(f)
    local o = { f = check.callable("once", 1, f), waiters = false }
    o.waiters = waiters.new(kind, o)
    o.op = weft.base_op(nil, function() return not o.runner end, function(s, wrap) o.waiters:add(s, wrap) end)
    return function(...)
      if o.results then return unpack(o.results, 1, o.n) end
      return call(o, ...)
    end
  end
end
