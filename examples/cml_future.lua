-- SPDX-License-Identifier: MIT
--
-- Futures, after Concurrent ML: weft run examples/cml_future.lua
--
-- future(f, ...) starts f at once and gives an operation that happens when there is a result: perform it as
-- often as you like, from any fiber, beside anything else. An error is raised to whoever asks.

local weft = require "weft"

-- The server hands the same outcome out for ever; as a daemon it ends with its scope.
local function future(f, ...)
  local outcomes = weft.channel()
  local arguments, n = { ... }, select("#", ...)
  local unpack = table.unpack or unpack -- luacheck: ignore
  weft.daemon(function()
    local ok, value = weft.pcall(function() return f(unpack(arguments, 1, n)) end)
    while true do outcomes:put({ ok = ok, value = value }) end
  end)
  return outcomes:get_op():wrap(function(outcome)
    if not outcome.ok then error(outcome.value, 0) end
    return outcome.value
  end)
end

local running, most = 0, 0

local function slow_square(x)
  running = running + 1
  most = math.max(most, running)
  weft.sleep(0.02)
  running = running - 1
  return x * x
end

weft.run(function()
  local nine = future(slow_square, 3)
  print(weft.timeout(nine, 0.001):perform()) --> nil	timeout	timeout
  print(nine:perform()) --> 9
  print(nine:perform()) --> 9

  -- Five run at the same time: together they take as long as one.
  local sum, squares = 0, {}
  for i = 1, 5 do squares[i] = future(slow_square, i) end
  for i = 1, 5 do sum = sum + squares[i]:perform() end
  print(sum, most) --> 55	5

  -- The first of two.
  local never = future(function() weft.sleep(math.huge) end)
  print(weft.choose(never, future(slow_square, 2)):perform()) --> 4

  local broken = future(function() error("no such number", 0) end)
  print(weft.pcall(broken.perform, broken)) --> false	no such number
end)
