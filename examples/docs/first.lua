-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local jobs, done = weft.channel(), weft.channel(16)
  for _ = 1, 4 do
    weft.spawn(function()
      while true do
        local j, closed = jobs:get()
        if closed then return end
        done:put(j * j)
      end
    end)
  end
  weft.spawn(function()
    for j = 1, 100 do jobs:put(j) end
    jobs:close()
  end)
  local sum = 0
  for _ = 1, 100 do sum = sum + done:get() end
  print(sum)                              --> 338350
end)
