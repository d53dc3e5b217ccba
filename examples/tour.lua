-- SPDX-License-Identifier: MIT
--
-- A guided tour. `weft run examples/tour.lua`, or any stock Lua with weft on its path:
-- `lua5.4 examples/tour.lua`. It prints what it shows.

local weft = require "weft"

local function stop(number, title) print(("\n%d. %s"):format(number, title)) end

weft.run(function()
  print("weft, a tour")

  -- ------------------------------------------------------------------
  stop(1, "Fibers")
  -- spawn queues a fiber; it runs when this one waits, yields or ends.
  local fiber = weft.spawn(function(a, b)
    print("   the fiber runs")
    return a + b
  end, 40, 2)
  print("   spawned: " .. fiber:status())
  print("   joined: " .. fiber:join() .. ", " .. fiber:status())

  -- ------------------------------------------------------------------
  stop(2, "Channels")
  -- Without a size a channel is a meeting: put waits for get. Any value passes, nil too.
  local numbers = weft.channel()
  weft.spawn(function()
    for i = 1, 3 do numbers:put(i * i) end
    numbers:close()
  end)
  while true do
    local n, why = numbers:get()
    if why then
      print("   the channel is " .. why)
      break
    end
    print("   got " .. n)
  end

  -- With a size it is a queue: put waits only when the queue is full.
  local queue = weft.channel(2)
  queue:put("first")
  queue:put("second")
  print("   " .. #queue .. " of " .. queue:cap() .. " places taken, room for a third: "
    .. tostring(queue:try_put("third")))

  -- ------------------------------------------------------------------
  stop(3, "Choice, with a time-out")
  -- Everything that can be waited for is an operation, a value. get and get_op are twins.
  local slow = weft.channel()
  local answer = weft.choose(
    slow:get_op(),
    queue:get_op():wrap(function(v) return v .. " of the queue" end)
  ):perform()
  print("   what is ready wins: " .. answer)
  answer = weft.choose(
    slow:get_op(),
    weft.sleep_op(0.01):wrap(function() return "nobody came within 10 ms" end)
  ):perform()
  print("   what happens first wins: " .. answer)
  print("   or do not wait at all: " .. slow:get_op():perform_alt(function() return "nothing there" end))

  -- ------------------------------------------------------------------
  stop(4, "A scope ends when its children have")
  local total = 0
  weft.scope(function(s)
    for i = 1, 4 do
      s:spawn(function()
        weft.sleep(0.002 * i)
        total = total + i
      end)
    end
  end)
  print("   all four are done: " .. total)

  -- ------------------------------------------------------------------
  stop(5, "An error cancels the siblings and surfaces at the scope")
  local ok, message = weft.pcall(weft.scope, function(s)
    s:spawn(function()
      local slept, e = weft.pcall(weft.sleep, 3600)
      print("   the sibling slept an hour: " .. tostring(slept) .. ", cancelled: "
        .. tostring(weft.is_cancelled(e)))
      error(e, 0)                         -- a cancellation goes on its way
    end)
    s:spawn(function()
      weft.sleep(0.005)
      error("the disk is full", 0)
    end)
  end)
  print("   the scope: " .. tostring(ok) .. ", " .. tostring(message))

  -- ------------------------------------------------------------------
  stop(6, "Cancellation")
  local patient = weft.spawn(function() weft.channel():get() end)
  weft.yield()
  print("   it is " .. patient:status())
  patient:cancel("closing time")
  local _, e = weft.pcall(patient.join, patient)
  print("   it is " .. patient:status() .. ", because: " .. tostring(e.reason))

  -- ------------------------------------------------------------------
  stop(7, "TCP, with itself")
  local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
  weft.scope(function(s)
    s:spawn(function()
      local stream = assert(listener:accept())
      while true do
        local bytes = stream:read_some()
        if not bytes then break end       -- the other side has ended
        stream:write(bytes)
      end
      stream:close()
    end)
    local stream = assert(weft.net.tcp.connect(listener:address()))
    for _, text in ipairs { "an echo", "of a fiber" } do
      stream:write(text)
      print("   " .. stream:read_some())
    end
    stream:shutdown("w")
    print("   the end: " .. tostring(stream:read_some()))
    stream:close()
  end)

  -- Sockets are operations too, so a read can have a time-out, or wait beside a channel.
  local accepted = weft.choose(
    listener:accept_op(),
    weft.sleep_op(0.01):wrap(function() return "no second guest" end)
  ):perform()
  print("   " .. tostring(accepted))
  listener:close()

  print("\nThat was the tour. Next: docs/getting-started.md, and the other programs here.")
end)
