-- SPDX-License-Identifier: MIT
-- The error values of the runtime's own: a cancellation, a time-out of a scope, a deadlock. And what
-- stands beside an error value of any type: where it failed, in which fiber, and what else went wrong.
local core = require "weft.core"

local function error_type(name, describe)
  local metatable = { __name = "weft." .. name, __tostring = describe, __metatable = "weft" }
  core.error_type(name, metatable)
  return {
    new = function(fields) return setmetatable(fields, metatable) end,
    is = function(e) return type(e) == "table" and debug.getmetatable(e) == metatable end,
  }
end

local errors = {
  cancelled = error_type("cancelled", function(e)
    return e.reason == nil and "cancelled" or "cancelled: " .. tostring(e.reason)
  end),
  timeout = error_type("timeout", function(e)
    return "timeout: the deadline of scope '" .. e.scope .. "' has passed"
  end),
  deadlock = error_type("deadlock", function(e) return e.message end),
}
-- The stock lua5.1 prints no error that is not a string, and an uncaught deadlock has to be read.
if not core.has_continuations and not core.luajit then
  local prefix = "^deadlock: every fiber waits"
  errors.deadlock = {
    new = function(fields) return fields.message end,
    is = function(e) return type(e) == "string" and e:find(prefix) ~= nil end,
  }
end

local report = require "weft.report"
report.bind(errors)

return function(weft)
  weft.is_cancelled = errors.cancelled.is
  weft.is_timeout = errors.timeout.is
  weft.is_deadlock = errors.deadlock.is
  weft.error_info = report.info
end
