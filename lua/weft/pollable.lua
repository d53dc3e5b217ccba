-- SPDX-License-Identifier: MIT
-- weft.pollable: what can be waited for on a descriptor of any kind.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"

local perform = frames.perform
local pollable = core.method_table "pollable"
local readable_op, writable_op = pollable.readable_op, pollable.writable_op

function pollable:readable() return perform(readable_op(self)) end
function pollable:writable() return perform(writable_op(self)) end

local expected = "descriptor, file, or object with pollfd or getfd"
local longest_chain = 8

local function field(object, name)
  local kind = type(object)
  if kind ~= "table" and kind ~= "userdata" then return nil end
  local ok, value = pcall(function() return object[name] end)
  return ok and check.is_callable(value) and value or nil
end

local function pollable_of(handle, given, depth)
  if core.is_type("pollable", handle) then return handle end
  local made, message, code = core.pollable(handle)
  if made ~= false then return made, message, code end
  local get = depth < longest_chain and (field(handle, "pollfd") or field(handle, "getfd"))
  if not get then check.refuse(check.argument("pollable", 1), expected, given) end
  return pollable_of(get(handle), given, depth + 1)
end

return function(weft)
  function weft.pollable(handle) return pollable_of(handle, handle, 0) end
end
