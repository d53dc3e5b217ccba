-- SPDX-License-Identifier: MIT
local Loop = require "t.Loop"

local loop = Loop()

local ticks = 0
loop:addTask(10, function(name)           -- in 10 milliseconds, and again in 10 if it returns that
  ticks = ticks + 1
  if ticks < 3 then return 10 end
  print(name .. ", three times")          --> tick, three times
end, "tick")

local program = io.popen "echo text"
loop:addHandle(program, "read", function(file)
  local line = file:read "*l"
  if not line then loop:removeHandle(file, "read") end
end, program)

loop:run()                                -- until nothing is left, or loop:stop()
print(#loop)                              --> 0
program:close()
