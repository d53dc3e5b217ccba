-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local news = weft.broadcast(2)          -- keeps the last two for slow readers
  local quick, slow = news:subscribe(), news:subscribe()
  for i = 1, 3 do
    news:send("story " .. i)              -- never waits
    print(quick:get())
  end                                     --> story 1
                                          --> story 2
                                          --> story 3
  print(slow:get())                       --> nil	lagged	1
  print(slow:get())                       --> story 2

  local level = weft.watch(0)             -- only the latest value counts
  local reader = level:subscribe()
  level:set(1)
  level:set(2)
  print(reader:changed())                 --> 2
end)
