-- SPDX-License-Identifier: MIT
-- A fiber that takes n messages, each of which it has to wait for: plainly, and with a timeout that never comes.
local weft = require "weft"
local n = tonumber(arg[1])
local timeout = weft.timeout

local function taken(take)
  local start
  weft.run(function()
    local messages = weft.channel()
    weft.spawn(function() for _ = 1, n do take(messages) end end)
    weft.yield()
    start = os.clock()
    for i = 1, n do
      messages:put(i)
      weft.yield() -- it waits again
    end
  end)
  return (os.clock() - start) / n * 1e9
end

local function plainly(messages) assert(messages:get_op():perform()) end
local function in_time(messages) assert(timeout(messages:get_op(), 30):perform()) end

taken(in_time) -- warm
local bare, timed = taken(plainly), taken(in_time)
print(string.format("RESULT timer %.6g ns", timed - bare))
print(string.format("RESULT whole %.6g ns", timed))
