-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local ok, e = weft.pcall(weft.scope, function(s)
    local worker = s:spawn(function()
      weft.sleep(0.001)
      error("no such table", 0)
    end)
    worker:name "worker"
  end)
  local info = weft.error_info(e)         -- what stands beside the value
  print(ok, e)                            --> false	no such table
  print(info.fiber:name(), info.traceback:match "error_info.lua" ~= nil) --> worker	true
end)
