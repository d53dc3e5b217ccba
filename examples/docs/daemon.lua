-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local ask, answer = weft.channel(), weft.channel()
  weft.daemon(function()                  -- keeps nothing open, ends with its scope
    while true do answer:put(ask:get() * 2) end
  end)
  ask:put(21)
  print(answer:get())                     --> 42
end)
