-- SPDX-License-Identifier: MIT
-- The coroutine table while a runtime is live in the state: the same functions, but that a wait inside a
-- coroutine reaches the scheduler. Restored when the last runtime ends.
local core = require "weft.core"

local stock, replaced = {}, 0
local ours = {}
local waiting, in_fiber = core.coroutine_waiting, core.coroutine_in_fiber

for name, f in pairs(coroutine) do stock[name] = f end

if core.has_continuations then
  ours.resume, ours.wrap = core.coroutine_resume, core.coroutine_wrap
else
  local start, go_on, pass = core.coroutine_start, core.coroutine_go_on, core.coroutine_pass
  local resumed
  local function again(co)
    pass()
    return resumed(co, go_on(co))
  end
  function resumed(co, ok, ...)
    if ok == nil then return again(co) end
    return ok, ...
  end
  function ours.resume(co, ...)
    if type(co) ~= "thread" then
      core.misuse(("bad argument #1 to 'resume' (coroutine expected, got %s)"):format(type(co)))
    end
    return resumed(co, start(co, ...))
  end

  local function values(ok, ...)
    if ok then return ... end
    local e = ...
    if type(e) == "string" then error(e, 3) end
    error(e, 0)
  end
  function ours.wrap(f)
    if type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'wrap' (function expected, got %s)"):format(type(f)))
    end
    local co = stock.create(f)
    return function(...) return values(ours.resume(co, ...)) end
  end
end

-- What a yield gets back that had nowhere to go (weft.pcall on 5.1).
local refused = {}
local function unless_refused(first, ...)
  if first == refused then core.misuse "attempt to yield from outside a coroutine" end
  return first, ...
end

function ours.yield(...)
  if in_fiber() then core.misuse "attempt to yield from outside a coroutine" end
  return unless_refused(stock.yield(...))
end

function ours.status(co)
  local status = stock.status(co)
  if status == "suspended" and waiting(co) then return "normal" end
  return status
end

function ours.running()
  core.coroutine_expose()
  return stock.running()
end

local coroutines = { stock = stock, resume = ours.resume, refused = refused }

function coroutines.replace()
  replaced = replaced + 1
  if replaced > 1 then return end
  for name, f in pairs(ours) do coroutine[name] = f end -- luacheck: ignore
end

function coroutines.restore()
  replaced = replaced - 1
  if replaced > 0 then return end
  for name in pairs(ours) do -- luacheck: ignore
    if coroutine[name] == ours[name] then coroutine[name] = stock[name] end -- luacheck: ignore
  end
end

return coroutines
