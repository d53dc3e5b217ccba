-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local fiber = weft.spawn(function(name)
    weft.sleep(0.01)                      -- others run meanwhile
    return "hello " .. name
  end, "world")

  print(fiber:status())                   --> runnable
  weft.yield()                            -- now it has run up to its sleep
  print(fiber:status())                   --> parked
  print(fiber:join())                     --> hello world
  print(fiber:status())                   --> done
end)
