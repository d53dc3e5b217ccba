-- SPDX-License-Identifier: MIT
-- The objects of t.*: userdata, as they are in a module in C, so that `#`, `==` and user values work on every
-- Lua. A record in the last user value holds what an object knows.
local core = require "weft.core"
local check = require "t.check"

local new_object, value_of, set_value = core.object, core.object_value, core.set_object_value

-- class(name, shown): a kind of object with `shown` user values for the user to see, besides the record.
--   kind.new(record) -> object      kind.of(object, method) -> record, or raises      kind.is(v) -> boolean
--   kind.methods; kind.metatable, for more metamethods; kind.get(object, key, record) gives the other fields
return function(name, shown)
  local metatable = { __name = name, __metatable = "t" }
  local methods = {}
  local kind = { name = name, metatable = metatable, methods = methods }
  shown = shown or 0

  function kind.is(v) return type(v) == "userdata" and debug.getmetatable(v) == metatable end

  function kind.new(record)
    local object
    object, record.address = new_object(metatable, shown + 1)
    set_value(object, metatable, shown + 1, record)
    return object
  end

  local function record_of(object) return value_of(object, metatable, shown + 1) end
  kind.record = record_of

  function kind.of(object, method, i)
    if not kind.is(object) then check.refuse(method, i or 1, name, object) end
    return record_of(object)
  end

  -- The user values that are shown. debug.getuservalue gives them too, where the Lua has it (5.4).
  function kind.set_value(object, i, value) set_value(object, metatable, i, value) end
  if shown > 0 then
    function methods:getuservalue(i)
      kind.of(self, "getuservalue")
      i = check.integer("getuservalue", 1, i == nil and 1 or i, 1)
      if i <= shown then return value_of(self, metatable, i) end
    end
  end

  function metatable.__index(object, key)
    local method = methods[key]
    if method ~= nil or not kind.get then return method end
    return kind.get(object, key, record_of(object))
  end

  function metatable.__tostring(object)
    local record = record_of(object)
    return ("t.%s%s: %s"):format(name:match "^T%.(.*)$", kind.describe and kind.describe(record, object) or "",
      record.address)
  end

  return kind
end
