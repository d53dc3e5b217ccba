-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local ch = weft.channel()
  weft.spawn(function()
    for i = 1, 4 do ch:put(i) end
    ch:close()
  end)

  local sum = 0
  for v in ch:iter() do sum = sum + v end -- until the close
  print(sum)                              --> 10
end)
