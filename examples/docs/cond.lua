-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local m = weft.mutex()
  local changed = weft.cond(m)
  local stock = 0

  local buyer = weft.spawn(function()
    m:lock()
    while stock < 3 do changed:wait() end -- gives the mutex back meanwhile; look again after each wait
    stock = stock - 3
    m:unlock()
    return "bought"
  end)
  for _ = 1, 3 do
    m:with(function() stock = stock + 1 end)
    changed:signal()
    weft.yield()
  end
  print(buyer:join(), stock)              --> bought	0
end)
