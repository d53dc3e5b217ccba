-- SPDX-License-Identifier: MIT
-- The coroutine table while a runtime is live in the state: the same functions, but that a wait inside a
-- coroutine reaches the scheduler. Restored when the last runtime ends.
local core = require "weft.core"

local stock, replaced = {}, 0
local ours = { yield = core.coroutine_yield }
local waiting = core.coroutine_waiting
local refused = {} -- what a yield gets back that had nowhere to go (weft.pcall on 5.1)

for name, f in pairs(coroutine) do stock[name] = f end

if core.has_continuations then
  ours.resume, ours.wrap = core.coroutine_resume, core.coroutine_wrap
else
  -- start and go_on give true and values, false and an error, or nil: it waits, and so has the caller to.
  local start, go_on, pass = core.coroutine_start, core.coroutine_go_on, core.coroutine_pass
  local function resumed(co, ok, ...)
    if ok ~= nil then return ok, ... end
    pass()
    return resumed(co, go_on(co))
  end
  function ours.resume(co, ...) return resumed(co, start(co, ...)) end

  local function values(co, ok, ...)
    if ok then return ... end
    if ok == nil then
      pass()
      return values(co, go_on(co))
    end
    local e = ...
    if type(e) == "string" then core.misuse(e) end
    error(e, 0)
  end
  function ours.wrap(f)
    if type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'wrap' (function expected, got %s)"):format(type(f)))
    end
    local co = stock.create(f)
    return function(...) return values(co, start(co, ...)) end
  end
end

if not core.has_continuations and not core.luajit then
  local yield = core.coroutine_yield
  local function unless_refused(first, ...)
    if first == refused then core.misuse "attempt to yield from outside a coroutine" end
    return first, ...
  end
  function ours.yield(...) return unless_refused(yield(...)) end
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
