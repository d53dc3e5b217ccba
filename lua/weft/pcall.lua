-- SPDX-License-Identifier: MIT
-- pcall and xpcall that may be blocked in on every Lua. 5.2 and later and LuaJIT can as they are; on PUC
-- 5.1 the function runs in a coroutine of its own.
local core = require "weft.core"
local coroutines = require "weft.coroutines"

if core.has_continuations or core.luajit then
  return { pcall = pcall, xpcall = xpcall, trace = function() return debug.traceback("", 3):sub(2) end }
end

local protected = {}
local stock = coroutines.stock
local failed -- the coroutine whose error is being handled

-- Who called, for the positions of misuse. Weak: the caller lives as long as the call lasts.
local callers = setmetatable({}, { __mode = "kv" })
core.set_callers(callers)

local function call(f, ...) return f(...) end

local run
-- A yield of the user's own inside the protected call goes on to whoever resumed the caller.
local function yielded(co, ...)
  if core.coroutine_in_fiber() then return run(co, coroutine.resume(co, coroutines.refused)) end
  return run(co, coroutine.resume(co, stock.yield(...)))
end

function run(co, ok, ...)
  if ok and stock.status(co) == "suspended" then return yielded(co, ...) end
  return ok, ...
end

local function start(f, ...)
  local co = stock.create(call)
  callers[co] = stock.running()
  return co, run(co, coroutines.resume(co, f, ...))
end

local function without_coroutine(_, ...) return ... end
function protected.pcall(f, ...) return without_coroutine(start(f, ...)) end

local function handled(handler, co, ok, ...)
  if ok then return ok, ... end
  failed = co
  return ok, handler(...)
end
function protected.xpcall(f, handler, ...) return handled(handler, start(f, ...)) end

-- The traceback for a message handler: of the coroutine that failed.
function protected.trace()
  return debug.traceback(failed)
end

return protected
