-- SPDX-License-Identifier: MIT
local weft = require "weft"

-- An operation is a value: pass it, keep it, perform it as often as you like. So it is easy to say
-- new things about all of them. (weft.timeout(op, seconds) is there already; here is how it is made.)
local function or_timeout(op, seconds)
  return weft.choose(
    op,
    weft.sleep_op(seconds):wrap(function() return nil, "timeout", "timeout" end)
  )
end

weft.run(function()
  local ch = weft.channel()
  local get = or_timeout(ch:get_op(), 0.005)

  print(get:perform())                    --> nil	timeout	timeout
  weft.spawn(function() ch:put("in time") end)
  print(get:perform())                    --> in time

  local fiber = weft.spawn(function() weft.sleep(60) end)
  print(weft.timeout(fiber:join_op(), 0.005):perform()) --> nil	timeout	timeout
  fiber:cancel()
end)
