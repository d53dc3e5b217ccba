-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local ok, e = weft.pcall(weft.scope, { name = "lookup", timeout = 0.01 }, function(s)
    s:spawn(function() weft.sleep(3600) end)
    weft.sleep(3600)
  end)
  print(ok, weft.is_timeout(e))           --> false	true
end)
