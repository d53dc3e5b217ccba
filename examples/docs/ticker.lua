-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local ticker, start = weft.ticker(0.005), weft.now()
  for _ = 1, 3 do ticker:next() end       -- without drift: at 5, 10 and 15 ms
  ticker:stop()
  print(weft.now() - start >= 0.015)      --> true
  print(ticker:next())                    --> nil	closed	closed

  local limiter = weft.limiter { rate = 0.01, burst = 2 } -- two at once, then one in 100 s
  print(limiter:try(), limiter:try(), limiter:try()) --> true	true	false
  local quick = weft.limiter { rate = 1000 }
  for _ = 1, 3 do quick:wait() end        -- one each millisecond
end)
