-- SPDX-License-Identifier: MIT
-- ensure(finish, subject, f, ...): the results of f(...), or its error with the place where it was raised,
-- after finish(subject) in both cases. finish neither waits nor raises.
local core = require "weft.core"
local report = require "weft.report"
local protected = require "weft.pcall"

local self = core.self
-- Where errors were raised, between the message handler and the end of the protected call.
local traces = setmetatable({}, { __mode = "k" })

local function is_cancelled(e) return report.errors.cancelled.is(e) end

local function trace(e)
  local me = self()
  if me and not is_cancelled(e) and not (e ~= nil and report.going_on(me, e)) then
    traces[me] = protected.trace()
  end
  return e
end

-- What is known of the error e that the running fiber has caught: where it was raised.
local function caught(e)
  local me = self()
  local known = e ~= nil and report.going_on(me, e)
  if known then return known end
  local traceback = traces[me] or ""
  traces[me] = nil
  return {
    value = e, fiber = me, title = report.title(me), spawned = report.spawned(me), traceback = traceback,
  }
end

local function raise_again(e)
  if is_cancelled(e) or not self() then error(e, 0) end
  report.raise(caught(e))
end

local function ended(finish, subject, ok, ...)
  finish(subject)
  if ok then return ... end
  return raise_again(...)
end

-- The failure of an async fiber that has ended, which is not raised at the end of its scope then. With a
-- `first` it is put beside that, which is returned.
local function take_failure(fiber, first)
  local kept = core.extras(fiber)
  local info = kept and kept.failure
  if not info then return first end
  info.unjoined = nil
  if not first then return info end
  local others = first.others or {}
  first.others = others
  for i = 1, #others do
    if others[i] == info then return first end -- its scope has put it there
  end
  others[#others + 1] = info
  return first
end

local ensure = {
  trace = trace, caught = caught, raise_again = raise_again, is_cancelled = is_cancelled,
  take_failure = take_failure,
}

function ensure.call(finish, subject, f, ...)
  return ended(finish, subject, protected.xpcall(f, trace, ...))
end

return ensure
