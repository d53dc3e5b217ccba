-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local meeting = weft.channel()          -- put waits for get
  local queue = weft.channel(2)           -- put waits while two messages are there
  local heap = weft.channel(math.huge)    -- put never waits

  weft.spawn(function() meeting:put("hello") end)
  print(meeting:get())                    --> hello

  queue:put(1)
  queue:put(nil)                          -- any value is a message, nil too
  print(#queue, queue:try_put(3))         --> 2	false
  print(queue:get(), queue:get())         --> 1	nil

  for i = 1, 1000 do heap:put(i) end
  print(#heap)                            --> 1000
end)
