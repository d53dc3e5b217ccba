-- SPDX-License-Identifier: MIT
-- The functions that may wait. On Lua 5.2 and later the C functions go on after a resume themselves. On
-- 5.1 and LuaJIT what a resume passes becomes the results of the C function that yielded, so each one is
-- called from a small frame here: its first result says whether it simply ended, and if not, another
-- primitive tells how, or raises.
local core = require "weft.core"

local frames = {}
local channel = core.method_table "channel"

-- Applies wraps: `how` is true for none, a function, or an array of functions, innermost first.
local function chain(wraps, i, ...)
  local wrap = wraps[i]
  if not wrap then return ... end
  return chain(wraps, i + 1, wrap(...))
end

local function apply(how, ...)
  if how == true then return ... end
  if type(how) == "function" then return how(...) end
  return chain(how, 1, ...)
end
frames.apply = apply

if core.has_continuations then
  local perform_now = core.perform_now
  function frames.perform(op) return apply(perform_now(op)) end
  frames.yield, frames.sleep, frames.sleep_until = core.yield, core.sleep, core.sleep_until
  return frames
end

local perform_now, finish, finish_wait = core.perform_now, core.finish, core.finish_wait

local settle
local function finished(op, how, ...)
  if how then return apply(how, ...) end
  return settle(op, perform_now(op))
end
function settle(op, how, ...)
  if how == true then return ... end
  if how then return apply(how, ...) end
  return finished(op, finish(op, ...))
end
function frames.perform(op) return settle(op, perform_now(op)) end

local function waiter(primitive)
  return function(...)
    if not primitive(...) then return finish_wait() end
  end
end
local yield_now = core.yield
function frames.yield() if not yield_now() then return finish_wait() end end
frames.sleep, frames.sleep_until = waiter(core.sleep), waiter(core.sleep_until)

local get_now, finish_get = channel.get, channel._finish_get
function channel:get()
  local ok, value = get_now(self)
  if ok then return value end
  return finish_get(self)
end

local put_now, finish_put = channel.put, channel._finish_put
function channel:put(value)
  if put_now(self, value) then return true end
  return finish_put(self)
end

return frames
