-- SPDX-License-Identifier: MIT
-- Channels: rendezvous, buffered, unbounded; FIFO; nil; close.

local t = require "harness"
local weft = require "weft"

-- ---------------------------------------------------------------- rendezvous

t.test("a rendezvous passes one message", function()
  local ch = weft.channel()
  weft.spawn(function() ch:put("hello") end)
  t.returns(t.pack("hello"), ch:get())
end)

t.test("a put waits for its getter", function()
  local ch, log = weft.channel(), {}
  local f = weft.spawn(function()
    ch:put(1)
    log[#log + 1] = "put returned"
  end)
  t.settle(5)
  t.same(log, {})
  log[#log + 1] = "get"
  ch:get()
  f:join()
  t.same(log, { "get", "put returned" })
end)

t.test("a get waits for its putter", function()
  local ch = weft.channel()
  local f = weft.spawn(function() return ch:get() end)
  t.settle(5)
  t.eq(f:status(), "parked")
  ch:put("late")
  t.eq(f:join(), "late")
end)

t.test("ping-pong", function()
  local ping, pong = weft.channel(), weft.channel()
  local n = t.scale(10000, 100)
  weft.spawn(function() for i = 1, n do pong:put(ping:get() + i) end end)
  local sum = 0
  for i = 1, n do
    ping:put(i)
    sum = sum + pong:get()
  end
  t.eq(sum, n * (n + 1))
end)

t.test("weft.channel(0) is a rendezvous", function()
  local ch = weft.channel(0)
  t.eq(ch:cap(), 0)
  t.eq(ch:try_put(1), false)
end)

-- ---------------------------------------------------------------- buffered, unbounded

t.test("a buffer takes n and then waits", function()
  local ch = weft.channel(3)
  for i = 1, 3 do ch:put(i) end
  t.eq(#ch, 3)
  local f = weft.spawn(function() ch:put(4) end)
  t.settle(3)
  t.eq(f:status(), "parked")
  t.eq(#ch, 3)
  t.eq(ch:get(), 1)
  f:join()
  for i = 2, 4 do t.eq(ch:get(), i) end
  t.eq(#ch, 0)
end)

t.test("an unbounded channel never waits", { memory = 4096 }, function()
  local ch = weft.channel(math.huge)
  t.eq(ch:cap(), math.huge)
  local n = t.scale(100000, 1000)
  for i = 1, n do ch:put(i) end
  t.eq(#ch, n)
  for i = 1, n do if ch:get() ~= i then t.fail("out of order at " .. i) end end
  t.eq(#ch, 0)
end)

t.test("length and capacity", function()
  local ch = weft.channel(2)
  t.eq(ch:cap(), 2)
  t.eq(#ch, 0)
  ch:put("a")
  t.eq(#ch, 1)
  if t.has_integers then
    t.eq(math.type(#ch), "integer")
    t.eq(math.type(ch:cap()), "integer")
  end
  local r = weft.channel()
  t.eq(r:cap(), 0)
  weft.spawn(function() r:put(1) end)
  t.settle(2)
  t.eq(#r, 0)
  r:get()
end)

t.test("a large buffer wraps around", function()
  local ch = weft.channel(7)
  local put, got = 0, 0
  for round = 1, 500 do
    for _ = 1, round % 8 do
      if ch:try_put(put + 1) then put = put + 1 end
    end
    for _ = 1, (round * 3) % 8 do
      local ok, v = ch:try_get()
      if ok then
        got = got + 1
        t.eq(v, got)
      end
    end
  end
  while got < put do
    got = got + 1
    t.eq(ch:get(), got)
  end
  t.eq(#ch, 0)
end)

t.test("a wide channel costs nothing until it is used", { memory = 64 }, function()
  local ch = weft.channel(1000000)
  t.eq(ch:cap(), 1000000)
  ch:put(1)
  t.eq(ch:get(), 1)
end)

-- ---------------------------------------------------------------- order

t.test("messages are first in, first out", function()
  for _, size in ipairs { 0, 1, 5, math.huge } do
    local ch = weft.channel(size)
    weft.spawn(function() for i = 1, 100 do ch:put(i) end end)
    for i = 1, 100 do t.eq(ch:get(), i) end
  end
end)

t.test("putters are first in, first out", function()
  local ch = weft.channel()
  for i = 1, 20 do weft.spawn(function() ch:put(i) end) end
  t.settle(2)
  for i = 1, 20 do t.eq(ch:get(), i) end
end)

t.test("getters are first in, first out", function()
  local ch, got = weft.channel(), {}
  for i = 1, 20 do weft.spawn(function() got[i] = ch:get() end) end
  t.settle(2)
  for i = 1, 20 do ch:put(i) end
  t.settle(2)
  for i = 1, 20 do t.eq(got[i], i) end
end)

t.test("nobody barges past a queued putter", function()
  local ch = weft.channel(1)
  ch:put(1)
  local f = weft.spawn(function() ch:put(2) end)
  t.settle(2)
  t.eq(ch:get(), 1)                       -- 2 moves into the buffer at once
  t.eq(ch:try_put(3), false)
  t.eq(#ch, 1)
  f:join()
  t.eq(ch:get(), 2)
end)

-- ---------------------------------------------------------------- values

t.test("any value passes, by identity", function()
  local co = coroutine.create(function() end)
  local values = {
    true, false, 0, -1, 1.5, math.huge, "", "with\0zero", {}, function() end, print, co, io.stdout,
    weft.channel(),
  }
  for _, size in ipairs { 0, 4 } do
    local ch = weft.channel(size)
    weft.spawn(function() for i = 1, #values do ch:put(values[i]) end end)
    for i = 1, #values do t.eq(ch:get(), values[i]) end
  end
end)

t.test("nil is a message", function()
  for _, size in ipairs { 0, 3, math.huge } do
    local ch = weft.channel(size)
    weft.spawn(function()
      ch:put(nil)
      ch:put(1)
      ch:put(nil)
    end)
    t.returns(t.pack(nil), ch:get())
    t.returns(t.pack(1), ch:get())
    t.returns(t.pack(nil), ch:get())
  end
end)

t.test("nan is a message", function()
  local ch = weft.channel(1)
  ch:put(0 / 0)
  local v = ch:get()
  t.ne(v, v)
end)

t.test("integers stay integers", function()
  if not t.has_integers then t.skip "no integers in this Lua" end
  local ch = weft.channel(2)
  ch:put(math.maxinteger)
  ch:put(3.0)
  t.eq(math.type(ch:get()), "integer")
  t.eq(math.type(ch:get()), "float")
end)

t.test("a channel through a channel", function()
  local requests = weft.channel()
  weft.daemon(function()
    while true do
      local r = requests:get()
      r.reply:put(r.n * r.n)
    end
  end)
  local reply = weft.channel()
  requests:put({ n = 9, reply = reply })
  t.eq(reply:get(), 81)
end)

t.test("a put of nothing puts nil, as a signal", function()
  local ch = weft.channel(3)
  ch:put()
  ch:put_op():perform()
  t.eq(ch:try_put(), true)
  for _ = 1, 3 do t.returns(t.pack(nil), ch:get()) end
end)

-- ---------------------------------------------------------------- try

t.test("try_put and try_get on a rendezvous", function()
  local ch = weft.channel()
  t.returns(t.pack(false), ch:try_get())
  t.eq(ch:try_put(1), false)
  local getter = weft.spawn(function() return ch:get() end)
  weft.yield()
  t.eq(ch:try_put("to the getter"), true)
  t.eq(getter:join(), "to the getter")
  local putter = weft.spawn(function() ch:put("from the putter") end)
  weft.yield()
  t.returns(t.pack(true, "from the putter"), ch:try_get())
  putter:join()
end)

t.test("try_put and try_get on a buffer", function()
  local ch = weft.channel(1)
  t.eq(ch:try_put(nil), true)
  t.eq(ch:try_put(2), false)
  t.returns(t.pack(true, nil), ch:try_get())
  t.returns(t.pack(false), ch:try_get())
end)

t.test("try never waits", function()
  local ran = false
  weft.spawn(function() ran = true end)
  local ch = weft.channel()
  for _ = 1, 100 do
    ch:try_get()
    ch:try_put(1)
  end
  t.eq(ran, false)
end)

-- ---------------------------------------------------------------- close

t.test("get drains a closed channel first", function()
  local ch = weft.channel(3)
  ch:put(1)
  ch:put(nil)
  ch:close()
  t.eq(ch:closed(), true)
  t.returns(t.pack(1), ch:get())
  t.returns(t.pack(nil), ch:get())
  t.returns(t.pack(nil, "closed", "closed"), ch:get())
  t.returns(t.pack(nil, "closed", "closed"), ch:get())
end)

t.test("close wakes the getters that wait", function()
  local ch, woken = weft.channel(), 0
  weft.scope(function(s)
    for _ = 1, 5 do
      s:spawn(function()
        t.returns(t.pack(nil, "closed", "closed"), ch:get())
        woken = woken + 1
      end)
    end
    t.settle(2)
    ch:close()
  end)
  t.eq(woken, 5)
end)

t.test("put to a closed channel raises at the caller's line", function()
  for _, size in ipairs { 0, 2, math.huge } do
    local ch = weft.channel(size)
    ch:close()
    t.misuse("closed channel", function() ch:put(1) end)
    t.misuse("closed channel", function() ch:try_put(1) end)
  end
end)

t.test("close raises in the putters that wait", function()
  local ch, raised = weft.channel(), 0
  weft.scope(function(s)
    for _ = 1, 3 do
      s:spawn(function()
        local e = t.raises("closed channel", ch.put, ch, 1)
        t.eq(weft.is_cancelled(e), false)
        raised = raised + 1
      end)
    end
    t.settle(2)
    ch:close()
  end)
  t.eq(raised, 3)
end)

t.test("the message of a putter that waited is not delivered after the close", function()
  local ch = weft.channel(1)
  ch:put("buffered")
  local f = weft.async(function() ch:put("waiting") end)
  t.settle(2)
  ch:close()
  t.raises("closed channel", f.join, f)
  t.returns(t.pack("buffered"), ch:get())
  t.returns(t.pack(nil, "closed", "closed"), ch:get())
end)

t.test("a get arm on a closed channel is ready", function()
  local ch = weft.channel()
  ch:close()
  t.returns(t.pack(nil, "closed", "closed"), weft.choose(ch:get_op(), weft.sleep_op(3600)):perform())
  t.returns(t.pack(true, nil, "closed", "closed"), ch:get_op():try())
  t.returns(t.pack(true, nil, "closed", "closed"), ch:try_get())
end)

t.test("a put arm on a closed channel is ready, and raises if chosen", function()
  local ch = weft.channel()
  ch:close()
  t.raises("closed channel", function() weft.choose(ch:put_op(1), weft.sleep_op(3600)):perform() end)
  t.raises("closed channel", function() ch:put_op(1):try() end)
end)

t.test("close wakes the choices that wait", function()
  local ch, other = weft.channel(), weft.channel()
  local f = weft.spawn(function() return weft.choose(other:get_op(), ch:get_op()):perform() end)
  weft.yield()
  ch:close()
  t.returns(t.pack(nil, "closed", "closed"), f:join())
  t.eq(other:try_put(1), false)
  local ch2 = weft.channel()
  local g = weft.async(function() return weft.choose(other:get_op(), ch2:put_op(1)):perform() end)
  weft.yield()
  ch2:close()
  t.raises("closed channel", g.join, g)
  t.eq(other:try_put(1), false)
end)

t.test("close takes effect at once, the wake-up is queued", function()
  local ch, log = weft.channel(), {}
  weft.spawn(function()
    ch:get()
    log[#log + 1] = "getter"
  end)
  weft.yield()
  ch:close()
  log[#log + 1] = "closer"
  weft.yield()
  t.same(log, { "closer", "getter" })
end)

t.test("a double close is refused at the caller's line", function()
  local ch = weft.channel()
  ch:close()
  t.misuse("closed channel", function() ch:close() end)
  t.eq(ch:closed(), true)
end)

-- ---------------------------------------------------------------- iter

t.test("iter goes on until the close", function()
  if not t.yields_in_iterator then t.skip "5.1 cannot block in an iterator" end
  for _, size in ipairs { 0, 2, math.huge } do
    local ch = weft.channel(size)
    weft.spawn(function()
      for i = 1, 10 do ch:put(i) end
      ch:close()
    end)
    local sum = 0
    for v in ch:iter() do sum = sum + v end
    t.eq(sum, 55)
  end
end)

t.test("iter over what is there needs no wait", function()
  local ch = weft.channel(3)
  ch:put("a")
  ch:put(false)
  ch:put("c")
  ch:close()
  local got = {}
  for v in ch:iter() do got[#got + 1] = v end
  t.same(got, { "a", false, "c" })
end)

t.test("iter raises on a nil message", function()
  local ch = weft.channel(3)
  ch:put(1)
  ch:put(nil)
  ch:put(3)
  local got = {}
  t.raises("nil message", function() for v in ch:iter() do got[#got + 1] = v end end)
  t.same(got, { 1 })
end)

t.test("blocking in iter on 5.1 is a clear error", function()
  if t.yields_in_iterator then t.skip "this Lua can" end
  local f = weft.async(function() for _ in weft.channel():iter() do t.fail() end end)
  t.raises("", f.join, f)
  t.eq(f:status(), "failed")
end)

t.test("several fibers share one iter", function()
  if not t.yields_in_iterator then t.skip "5.1 cannot block in an iterator" end
  local ch, sum = weft.channel(), 0
  weft.scope(function(s)
    for _ = 1, 4 do
      s:spawn(function() for v in ch:iter() do sum = sum + v end end)
    end
    s:spawn(function()
      for i = 1, 100 do ch:put(i) end
      ch:close()
    end)
  end)
  t.eq(sum, 5050)
end)

-- ---------------------------------------------------------------- arguments, tostring

t.test("channel checks its size", function()
  t.misuse("bad argument #1 to '.-channel'", function() weft.channel("many") end)
  t.misuse("bad argument #1 to '.-channel'", function() weft.channel(-1) end)
  t.misuse("bad argument #1 to '.-channel'", function() weft.channel(0 / 0) end)
  t.misuse("bad argument #1 to '.-channel'", function() weft.channel(1.5) end)
  t.misuse("bad argument #1 to '.-channel'", function() weft.channel({}) end)
  t.eq(weft.channel(2.0):cap(), 2)
  t.eq(weft.channel(nil):cap(), 0)
end)

t.test("methods check what they are called on", function()
  local ch = weft.channel()
  local f = weft.self()
  t.raises("bad argument", function() ch.get() end)
  t.raises("bad argument", function() ch.get({}) end)
  t.raises("bad argument", function() ch.put(f, 1) end)
  t.raises("bad argument", function() ch.close(io.stdout) end)
  t.raises("bad argument", function() ch.cap(ch:get_op()) end)
end)

t.test("an unknown method is an ordinary error", function()
  local ch = weft.channel()
  t.raises("nil value", function() ch:no_such_method() end)
end)

t.test("tostring", function()
  t.match(tostring(weft.channel()), "channel")
  local ch = weft.channel(4)
  ch:close()
  t.contains(tostring(ch), "closed")
end)

t.test("the metatable is private", function()
  local mt = getmetatable(weft.channel())
  t.ne(type(mt), "table")
end)

-- ---------------------------------------------------------------- many

t.test("many writers, many readers, nothing lost, nothing twice", function()
  for _, size in ipairs { 0, 1, 8 } do
    local ch, n, seen, total = weft.channel(size), t.scale(2000, 50), {}, 0
    weft.scope(function(s)
      local left = 8
      for w = 0, 7 do
        s:spawn(function()
          for i = 1, n do
            ch:put(w * n + i)
            if i % 7 == w % 7 then weft.yield() end
          end
          left = left - 1
          if left == 0 then ch:close() end
        end)
      end
      for _ = 1, 5 do
        s:spawn(function()
          while true do
            local v, why = ch:get()
            if why then break end
            if seen[v] then t.fail("twice: " .. v) end
            seen[v] = true
            total = total + 1
          end
        end)
      end
    end)
    t.eq(total, 8 * n)
  end
end)

t.test("a ring of a thousand fibers", { memory = 6144 }, function()
  local first = weft.channel()
  local left = first
  for _ = 1, 1000 do
    local right = weft.channel()
    local from = left
    weft.spawn(function() right:put(from:get() + 1) end)
    left = right
  end
  weft.spawn(function() first:put(0) end)
  t.eq(left:get(), 1000)
end)

t.test("the prime sieve", function()
  local function filter(from, to, prime)
    while true do
      local i = from:get()
      if i % prime ~= 0 then to:put(i) end
    end
  end
  local primes = {}
  weft.scope(function(s)
    local ch = weft.channel()
    local from = ch
    s:daemon(function()
      local i = 2
      while true do
        from:put(i)
        i = i + 1
      end
    end)
    for _ = 1, 30 do
      local prime, to, up = ch:get(), weft.channel(), ch
      primes[#primes + 1] = prime
      s:daemon(function() filter(up, to, prime) end)
      ch = to
    end
  end)
  t.eq(primes[30], 113)
  t.same({ primes[1], primes[2], primes[3], primes[10] }, { 2, 3, 5, 29 })
end)
