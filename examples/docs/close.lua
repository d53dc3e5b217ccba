-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local ch = weft.channel(8)
  ch:put("last words")
  ch:close()

  print(ch:get())                         --> last words
  print(ch:get())                         --> nil	closed	closed
  print((weft.pcall(ch.put, ch, "more"))) --> false
end)
