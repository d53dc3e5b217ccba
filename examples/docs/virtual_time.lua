-- SPDX-License-Identifier: MIT
local weft = require "weft"

local took = weft.test({ seed = 1 }, function()
  local start = weft.now()
  local ok, e = weft.pcall(weft.scope, { timeout = 3600 }, function()
    weft.sleep(86400)
  end)
  assert(not ok and weft.is_timeout(e))
  return weft.now() - start
end)
print(math.floor(took + 0.5), "seconds")  --> 3600	seconds
