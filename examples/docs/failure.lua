-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local ok, e = weft.pcall(weft.scope, function(s)
    s:spawn(function()
      weft.sleep(0.005)
      error({ code = 507, text = "disk full" })
    end)
    s:spawn(function()
      weft.sleep(3600)                    -- is cancelled: the scope ends after 5 ms
    end)
    weft.sleep(3600)                      -- the body too
  end)
  print(ok, e.code, e.text)               --> false	507	disk full
end)
