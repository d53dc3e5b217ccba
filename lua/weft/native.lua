-- SPDX-License-Identifier: MIT
-- Functions of C++ that wait (weft::native of a task): each is a small Lua frame that performs an operation
-- whose arm is the task.
local core = require "weft.core"
local perform = require "weft.frames".perform

core.set_native(function(call_op)
  return function(...) return perform(call_op(...)) end
end)
