-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local jobs, done = weft.channel(), weft.channel(16) -- rendezvous; buffered
  weft.scope(function(s)
    for _ = 1, 4 do
      s:spawn(function() for j in jobs:iter() do done:put(j * j) end end)
    end
    s:spawn(function() for j = 1, 100 do jobs:put(j) end jobs:close() end)
    local sum = 0
    for _ = 1, 100 do sum = sum + weft.timeout(done:get_op(), 60):perform() end
    print(sum) --> 338350
  end)
end)
