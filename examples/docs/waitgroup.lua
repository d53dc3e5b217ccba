-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local jobs, log = weft.waitgroup(), {}
  local gate, line = weft.latch(1), weft.barrier(3)
  for i = 1, 3 do
    jobs:add(1)
    weft.spawn(function()
      gate:wait()                         -- all start together
      log[#log + 1] = "start"
      weft.sleep(0.001 * i)
      if line:wait() == 1 then log[#log + 1] = "all at the line" end -- exactly one gets place 1
      jobs:done()
    end)
  end
  gate:count_down()
  jobs:wait()
  print(table.concat(log, ", "))          --> start, start, start, all at the line
end)
