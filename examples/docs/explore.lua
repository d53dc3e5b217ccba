-- SPDX-License-Identifier: MIT
local weft = require "weft"

-- Two fibers read, wait, and write: an update may be lost, if the schedule is unlucky.
local function transfer()
  local balance = 0
  weft.scope(function(s)
    for _ = 1, 2 do
      s:spawn(function()
        local read = balance
        weft.yield()
        balance = read + 1
      end)
    end
  end)
  assert(balance == 2, "lost an update")
end

local ok, e = pcall(weft.explore, transfer, 100) -- the seeds 1 to 100
print(ok, e:match "lost an update")       --> false	lost an update

-- The seed in the message replays exactly that run, as often as you like.
local seed = tonumber(e:match "seed (%d+)")
for _ = 1, 3 do assert(not pcall(weft.test, { seed = seed }, transfer)) end
