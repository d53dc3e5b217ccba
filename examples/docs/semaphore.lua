-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local slots, running, most = weft.semaphore(3), 0, 0
  weft.scope(function(s)
    for _ = 1, 20 do
      s:spawn(function()
        slots:acquire()
        running = running + 1
        most = math.max(most, running)
        weft.sleep(0.001)
        running = running - 1
        slots:release()
      end)
    end
  end)
  print("at most", most)                  --> at most	3
end)
