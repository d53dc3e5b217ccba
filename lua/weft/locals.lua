-- SPDX-License-Identifier: MIT
-- weft.locals: values of the running fiber, which the fibers that it spawns inherit: they begin with the
-- values of their spawner at that moment, and what either sets later is its own.
--
-- A fiber's values are a table that is never changed, only replaced by a changed copy, so that a child can
-- share its spawner's. A fiber without values has no table, and its children cost nothing.
local core = require "weft.core"
local check = require "weft.check"

local extras, self_fiber = core.extras, core.self

local outside = {} -- of the code that is in no fiber: its fibers inherit from it

local function values()
  local me = self_fiber()
  if not me then return outside end
  local kept = extras(me)
  return kept and kept.locals
end

local function replace(list)
  local me = self_fiber()
  if not me then
    outside = list
  else
    extras(me, true).locals = list
  end
end

return function(weft)
  local spread

  -- The body of a fiber whose spawner has values.
  local function begin(list, f, ...)
    extras(self_fiber(), true).locals = list
    return f(...)
  end

  -- Instead of the functions that spawn, from the first value on: f, or begin and f.
  local function inheriting(spawn)
    return function(f, ...)
      local list = values()
      if not list or next(list) == nil or not check.is_callable(f) then return spawn(f, ...) end
      return spawn(begin, list, f, ...)
    end
  end
  local function inheriting_in(spawn)
    return function(scope, f, ...)
      local list = values()
      if not list or next(list) == nil or not check.is_callable(f) then return spawn(scope, f, ...) end
      return spawn(scope, begin, list, f, ...)
    end
  end

  function spread()
    local scope = core.method_table "scope"
    for _, name in ipairs { "spawn", "async", "daemon" } do
      weft[name], scope[name] = inheriting(weft[name]), inheriting_in(scope[name])
    end
    spread = nil
  end

  local metatable = { __name = "weft.locals", __metatable = "weft" }
  function metatable.__index(_, key)
    local list = values()
    return list and list[key]
  end
  function metatable.__newindex(_, key, value)
    if key == nil then core.misuse "a local without a name (index is nil)" end
    local list = {}
    for k, v in pairs(values() or list) do list[k] = v end
    list[key] = value
    replace(list)
    if spread then spread() end
  end
  function metatable.__pairs() return pairs(values() or {}) end
  function metatable.__tostring()
    local names = {}
    for k in pairs(values() or {}) do names[#names + 1] = tostring(k) end
    table.sort(names)
    return ("weft.locals: %s"):format(table.concat(names, ", "))
  end
  weft.locals = setmetatable({}, metatable)
end
