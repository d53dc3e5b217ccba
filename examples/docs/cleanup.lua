-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local log = weft.channel(math.huge)
  local fiber = weft.spawn(function()
    weft.defer(function()                 -- when the fiber ends, however it does
      weft.shield(function()              -- may wait although the fiber is cancelled
        weft.sleep(0.001)
        log:put("said goodbye")
      end)
    end)
    weft.sleep(3600)
  end)
  weft.yield()
  fiber:cancel()
  print(log:get())                        --> said goodbye
end)
