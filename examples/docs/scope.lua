-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local n = 0
  local result = weft.scope(function(s)
    for i = 1, 3 do
      s:spawn(function()
        weft.sleep(0.001 * i)
        n = n + 1
      end)
    end
    return "the body's result"
  end)
  print(result, n)                        --> the body's result	3
end)
