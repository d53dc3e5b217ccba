-- SPDX-License-Identifier: MIT
-- The methods of shared channels that may wait. The operations are in C++ (src/lua/shared_channel.cpp).
local core = require "weft.core"
local frames = require "weft.frames"

local perform = frames.perform
local channel = core.method_table "shared_channel"
local get_op, put_op = channel.get_op, channel.put_op

function channel:get() return perform(get_op(self)) end
function channel:put(value) return perform(put_op(self, value)) end

local function next_message(ch)
  local value, _, code = perform(get_op(ch))
  if value == nil and code ~= "closed" then
    core.misuse "a nil message ends a for loop: use get, or send something else"
  end
  return value
end
function channel:iter()
  if not core.is_type("shared_channel", self) then
    core.misuse(("bad argument #1 to 'iter' (shared channel expected, got %s)"):format(type(self)))
  end
  return next_message, self
end

return function(weft) weft.shared_channel = core.shared_channel end
