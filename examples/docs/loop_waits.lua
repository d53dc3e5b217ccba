-- SPDX-License-Identifier: MIT
local weft = require "weft"
local Loop = require "t.Loop"

local loop, channel = Loop(), weft.channel()

loop:addTask(1, function()
  print("waiting")                        --> waiting
  print(channel:get())                    -- the loop goes on meanwhile
end)
loop:addTask(5, function() channel:put "from another task" end) --> from another task

loop:run()
