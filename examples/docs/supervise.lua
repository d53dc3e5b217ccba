-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local starts = 0
  weft.supervise {
    restarts = 5, within = 60,            -- more than that, and the last error is raised here
    children = {
      worker = function()
        starts = starts + 1
        if starts < 3 then error "lost the connection" end
      end,
      other = function() weft.sleep(0.005) end, -- goes on meanwhile
    },
  }
  print("starts", starts)                 --> starts	3
end)
