-- SPDX-License-Identifier: MIT
-- Arguments and options of the functions that are written in Lua: what is wrong is raised at the user's
-- line, in the wording of the standard library. And the metatables of their objects.
local core = require "weft.core"

local misuse = core.misuse
local floor, huge = math.floor, math.huge

local check = {}

-- The number as an integer, or nil.
local to_integer = math.tointeger or function(n)
  return n == floor(n) and n >= -2 ^ 63 and n < 2 ^ 63 and n or nil
end
check.to_integer = to_integer

-- Raises: the value `v` of `what` is not an `expected`.
local function refuse(what, expected, v)
  misuse(("bad %s (%s expected, got %s)"):format(what, expected, v == nil and "no value" or type(v)))
end

local function argument(name, i) return ("argument #%d to '%s'"):format(i, name) end
local function option(name, key) return ("option '%s' of %s"):format(key, name) end

local function is_callable(f)
  if type(f) == "function" then return true end
  local metatable = debug.getmetatable(f)
  return type(metatable) == "table" and metatable.__call ~= nil
end

local function integer(what, v, least)
  if type(v) ~= "number" then refuse(what, "number", v) end
  local n = to_integer(v)
  if not n or v ~= v then misuse(("bad %s (number has no integer representation)"):format(what)) end
  if n < least then misuse(("bad %s (at least %d expected, got %d)"):format(what, least, n)) end
  return n
end

-- A count that may be math.huge.
local function limit(what, v)
  if v == nil or v == huge then return huge end
  return integer(what, v, 1)
end

local function number(what, v)
  if type(v) ~= "number" then refuse(what, "number", v) end
  if v ~= v then misuse(("bad %s (not a number: NaN)"):format(what)) end
  return v
end

local function positive(what, v)
  if number(what, v) <= 0 then misuse(("bad %s (a number above zero expected)"):format(what)) end
  return v
end

-- Seconds: NaN is refused, negative is zero.
local function duration(what, v)
  if number(what, v) < 0 then return 0 end
  return v
end

function check.callable(name, i, f)
  if not is_callable(f) then refuse(argument(name, i), "function", f) end
  return f
end
function check.integer(name, i, v, least) return integer(argument(name, i), v, least) end
function check.number(name, i, v) return number(argument(name, i), v) end
function check.positive(name, i, v) return positive(argument(name, i), v) end
function check.duration(name, i, v) return duration(argument(name, i), v) end

-- The table of options at argument i: only keys of `known` are in it.
function check.options(name, i, opts, known)
  if type(opts) ~= "table" then refuse(argument(name, i), "table", opts) end
  for key in pairs(opts) do
    if not known[key] then misuse(("unknown option '%s' of %s"):format(tostring(key), name)) end
  end
  return opts
end
function check.limit_option(name, opts, key) return limit(option(name, key), opts[key]) end
function check.positive_option(name, opts, key) return positive(option(name, key), opts[key]) end
function check.duration_option(name, opts, key) return duration(option(name, key), opts[key]) end
function check.integer_option(name, opts, key, least) return integer(option(name, key), opts[key], least) end

check.is_callable, check.refuse, check.argument, check.option = is_callable, refuse, argument, option

-- The methods and the metatable of a kind of object; describe(object) is what its text ends with.
function check.object(name, describe)
  local methods = {}
  name = "weft." .. name
  local metatable = { __index = methods, __name = name, __metatable = "weft" }
  function metatable.__tostring(self) return name .. ": " .. describe(self) end
  return methods, metatable
end

return check
