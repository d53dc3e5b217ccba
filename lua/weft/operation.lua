-- SPDX-License-Identifier: MIT
-- Operations in Lua: perform and its relatives over the primitives of the core.
local core = require "weft.core"
local frames = require "weft.frames"

local perform, apply = frames.perform, frames.apply
local try_now = core.try_now

local hooks = require "weft.report".hooks
local function attempted(how, ...)
  if not how then return false end
  if how == hooks.force then return how(...) end
  return true, apply(how, ...)
end

return function(weft)
  local operation = core.method_table "operation"
  operation.perform = perform
  operation.wrap, operation.or_else = core.wrap, core.or_else
  function operation:try() return attempted(try_now(self)) end
  function operation:perform_alt(f)
    if type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'perform_alt' (function expected, got %s)"):format(type(f)))
    end
    return perform(self:or_else(f))
  end

  weft.choose = core.choose

  -- The values of a base operation begin with the wrap that its partner (or itself) chose.
  local function unwrap(wrap, ...)
    if wrap then return wrap(...) end
    return ...
  end
  function weft.base_op(wrap, try, block)
    for i, f in ipairs { wrap or unwrap, try or false, block or false } do
      if type(f) ~= "function" then
        core.misuse(("bad argument #%d to 'base_op' (function expected, got %s)"):format(i, type(f)))
      end
    end
    return core.wrap(core.base_op(try, block, wrap), unwrap)
  end

  -- A program has few durations: with the arm that was there before, choose finds the choice again too.
  local length, arm
  function weft.timeout(op, seconds)
    if not arm or seconds ~= length then arm, length = core.timeout_op(op, seconds), seconds end
    return core.choose(op, arm)
  end

  local function named(name)
    return function(...) return name, ... end
  end
  function weft.select_op(arms)
    if type(arms) ~= "table" then
      core.misuse(("bad argument #1 to 'select' (table expected, got %s)"):format(type(arms)))
    end
    local list = {}
    for name, op in pairs(arms) do
      if not core.is_type("operation", op) then
        core.misuse(("bad argument #1 to 'select' (operation expected at '%s', got %s)"):format(
          tostring(name), type(op)))
      end
      list[#list + 1] = core.wrap(op, named(name))
    end
    return core.choose(list)
  end
  function weft.select(arms) return perform(weft.select_op(arms)) end

  -- A race of operations, and of functions: each function runs in a scope of its own, which is cancelled
  -- and joined when it loses.
  function weft.race(list)
    if type(list) ~= "table" then
      core.misuse(("bad argument #1 to 'race' (table expected, got %s)"):format(type(list)))
    end
    local ops = {}
    for i = 1, #list do
      ops[i] = type(list[i]) == "function" and weft.scope_op(list[i]) or list[i]
    end
    return core.choose(ops)
  end

  -- A getter that knows a nil message from the end: only close gives three results.
  local channel = core.method_table "channel"
  local get = channel.get
  local function next_message(ch)
    local value, _, code = get(ch)
    if value == nil and code ~= "closed" then
      core.misuse "a nil message ends a for loop: use get, or send something else"
    end
    return value
  end
  function channel:iter() return next_message, self end
end
