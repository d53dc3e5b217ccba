-- SPDX-License-Identifier: MIT
--
-- A clock server with negative acknowledgements, after Concurrent ML: weft run examples/cml_clock.lua
--
-- Clients ask the server to be told when it is five o'clock. One that has gone for something else in the
-- meantime must not leave its request behind: its nack tells the server.

local weft = require "weft"

-- A clock that goes forward when it is told to. The server is a daemon: it ends with its scope.
local function start_clock()
  local clock = { requests = weft.channel(), ticks = weft.channel(), now = 0, waiting = {} }

  local function ring(request)
    -- The client takes it, or has given up; there is no third possibility.
    weft.choose(request.reply:put_op(clock.now), request.nack):perform()
  end

  local function on_tick()
    clock.now = clock.now + 1
    for request in pairs(clock.waiting) do
      if request.time <= clock.now then
        clock.waiting[request] = nil
        ring(request)
      end
    end
  end

  local function serve()
    while true do
      local arms = {
        clock.requests:get_op():wrap(function(request)
          if request.time <= clock.now then return ring(request) end
          clock.waiting[request] = true
        end),
        clock.ticks:get_op():wrap(on_tick),
      }
      for request in pairs(clock.waiting) do
        arms[#arms + 1] = request.nack:wrap(function() clock.waiting[request] = nil end)
      end
      weft.choose(arms):perform()
    end
  end
  weft.daemon(serve)
  return clock
end

-- Happens at that time, with the time it is then.
local function at_op(clock, time)
  return weft.with_nack(function(nack)
    local request = { time = time, reply = weft.channel(), nack = nack }
    clock.requests:put(request)
    return request.reply:get_op()
  end)
end

local function count(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

weft.run(function()
  local clock = start_clock()
  local tea = weft.spawn(function() return at_op(clock, 5):perform() end)
  local bell = weft.channel()
  local impatient = weft.spawn(function() return weft.choose(at_op(clock, 3), bell:get_op()):perform() end)
  weft.sleep(0.01)
  print("waiting", count(clock.waiting)) --> waiting	2

  bell:put "the bell"
  print(impatient:join()) --> the bell
  weft.sleep(0.01)
  print("waiting", count(clock.waiting)) --> waiting	1

  for _ = 1, 5 do clock.ticks:put(true) end
  print("tea at", tea:join()) --> tea at	5
  print("late", at_op(clock, 2):perform()) --> late	5

  -- Cancelled, it has not got its answer either.
  local cancelled = weft.spawn(function() at_op(clock, 100):perform() end)
  weft.sleep(0.01)
  cancelled:cancel()
  weft.sleep(0.01)
  print("waiting", count(clock.waiting)) --> waiting	0
end)
