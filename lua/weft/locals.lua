-- SPDX-License-Identifier: MIT
-- weft.locals: values of the running fiber, which the fibers that it spawns inherit: they begin with the
-- values of their spawner at that moment, and what either sets later is its own. src/lua/locals.cpp keeps them.
local core = require "weft.core"

local function values() return core.locals() or {} end

local metatable = { __name = "weft.locals", __metatable = "weft" }

function metatable.__index(_, key)
  local list = core.locals()
  return list and list[key]
end

-- The table itself is never changed: others share it.
function metatable.__newindex(_, key, value)
  if key == nil then core.misuse "a local without a name (index is nil)" end
  local list = {}
  for k, v in pairs(values()) do list[k] = v end
  list[key] = value
  core.set_locals(list)
end

function metatable.__pairs() return pairs(values()) end

function metatable.__tostring()
  local names = {}
  for k in pairs(values()) do names[#names + 1] = tostring(k) end
  table.sort(names)
  return ("weft.locals: %s"):format(table.concat(names, ", "))
end

return function(weft) weft.locals = setmetatable({}, metatable) end
