-- SPDX-License-Identifier: MIT
-- Arguments of t.*: what is wrong is raised at the user's line, in the wording of the standard library.
local core = require "weft.core"
core.add_home((debug.getinfo(1, "S").source:gsub("check%.lua$", "")))

local check = { misuse = core.misuse }

local function name_of(v)
  local metatable = debug.getmetatable(v)
  return type(metatable) == "table" and type(metatable.__name) == "string" and metatable.__name or type(v)
end
check.name_of = name_of

function check.refuse(name, i, expected, v)
  local got = v == nil and "no value" or name_of(v)
  return check.misuse(("bad argument #%d to '%s' (%s expected, got %s)"):format(i, name, expected, got))
end

local to_integer = require "weft.check".to_integer
check.to_integer = to_integer

-- The integer v, at least `least`.
function check.integer(name, i, v, least)
  if type(v) ~= "number" then check.refuse(name, i, "number", v) end
  local n = to_integer(v)
  if not n then check.misuse(("bad argument #%d to '%s' (number has no integer representation)"):format(i, name)) end
  if least and n < least then
    check.misuse(("bad argument #%d to '%s' (at least %d expected, got %d)"):format(i, name, least, n))
  end
  return n
end

function check.callable(name, i, f)
  local metatable = debug.getmetatable(f)
  if type(f) ~= "function" and not (type(metatable) == "table" and metatable.__call) then
    check.refuse(name, i, "function", f)
  end
  return f
end

return check
