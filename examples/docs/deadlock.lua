-- SPDX-License-Identifier: MIT
local weft = require "weft" -- with lua5.4: under weft run this is inside a run already

local ok, e = pcall(weft.run, function()
  weft.channel():get()                    -- nobody will ever put
end)
print(ok, weft.is_deadlock(e))            --> false	true
