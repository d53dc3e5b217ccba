-- SPDX-License-Identifier: MIT
-- The scenarios that Guile fibers and Go test themselves with: fairness of select, sieve, many spawns, chains,
-- rings, trees of producers and consumers, cancel while parked on each primitive.

local t = require "harness"
local weft = require "weft"

-- for v in ch:iter() on every Lua: PUC 5.1 cannot wait in an iterator.
local function each_message(ch, f)
  while true do
    local v, _, code = ch:get()
    if code == "closed" then return end
    f(v)
  end
end

-- ---------------------------------------------------------------- Guile fibers: basic.scm

t.test("guile: fibers that return, that sleep, that spawn", function()
  local n = t.scale(20000, 500)
  local ended = 0
  weft.scope(function(s)
    for _ = 1, n do s:spawn(function() ended = ended + 1 end) end
  end)
  t.eq(ended, n)
  ended = 0
  weft.scope(function(s)
    for i = 1, 1000 do
      s:spawn(function()
        weft.sleep((i % 10) / 1000)
        ended = ended + 1
      end)
    end
  end)
  t.eq(ended, 1000)
end)

t.test("guile: spawn chain", function()
  local depth, n = 0, t.scale(100000, 1000)
  weft.scope(function()
    local function chain(i)
      depth = i
      if i < n then weft.spawn(chain, i + 1) end
    end
    weft.spawn(chain, 1)
  end)
  t.eq(depth, n)
end)

t.test("guile: spawn tree", { memory = 4096 }, function()
  local leaves, depth = 0, t.quick and 8 or 13
  weft.scope(function()
    local function tree(i)
      if i == 0 then
        leaves = leaves + 1
        return
      end
      weft.spawn(tree, i - 1)
      weft.spawn(tree, i - 1)
    end
    tree(depth)
  end)
  t.eq(leaves, 2 ^ depth)
end)

t.test("guile: loops that yield take turns", function()
  local log = {}
  weft.scope(function(s)
    for i = 1, 3 do
      s:spawn(function()
        for _ = 1, 100 do
          log[#log + 1] = i
          weft.yield()
        end
      end)
    end
  end)
  for k = 1, 300 do t.eq(log[k], (k - 1) % 3 + 1) end
end)

t.test("guile: fib by fibers", function()
  local function fib(n)
    if n < 2 then return 1 end
    local a, b = weft.spawn(fib, n - 1), weft.spawn(fib, n - 2)
    return a:join() + b:join()
  end
  local n = t.quick and 10 or 15
  local a, b = 1, 1
  for _ = 2, n do a, b = b, a + b end
  t.eq(fib(n), b)
end)

t.test("guile: a nested run, and a run in a run", function()
  t.eq(weft.run(function()
    local f = weft.spawn(function() return weft.run(function() return "nested" end) end)
    return f:join()
  end), "nested")
end)

-- ---------------------------------------------------------------- Guile fibers: channels.scm

t.test("guile: rpc over channels", function()
  local function server(ch, f)
    return weft.spawn(function()
      each_message(ch, function(request) request.reply:put(f(request.value)) end)
    end)
  end
  local square = weft.channel()
  server(square, function(v) return v * v end)
  local function call(v)
    local reply = weft.channel()
    square:put { value = v, reply = reply }
    return reply:get()
  end
  for i = 1, t.scale(2000, 50) do t.eq(call(i), i * i) end
  local sum = 0
  weft.scope(function(s)
    for i = 1, 100 do
      s:spawn(function()
        local v = call(i)
        sum = sum + v
      end)
    end
  end)
  t.eq(sum, 338350)
  square:close()
end)

t.test("guile: pingers and pongers, ten each on one channel", function()
  local ch, n = weft.channel(), t.scale(1000, 20)
  local sent, got = 0, 0
  weft.scope(function(s)
    for _ = 1, 10 do
      s:spawn(function()
        for i = 1, n do
          ch:put(i)
          sent = sent + 1
        end
      end)
      s:spawn(function()
        for _ = 1, n do
          ch:get()
          got = got + 1
        end
      end)
    end
  end)
  t.eq(sent, 10 * n)
  t.eq(got, 10 * n)
end)

-- ---------------------------------------------------------------- Go: select

t.test("go: select is fair between two ready channels", function()
  local n = t.scale(20000, 2000)
  local a, b = weft.channel(math.huge), weft.channel(math.huge)
  for _ = 1, n do
    a:put(1)
    b:put(1)
  end
  local count = { a = 0, b = 0 }
  for _ = 1, n do
    local name = weft.select { a = a:get_op(), b = b:get_op() }
    count[name] = count[name] + 1
  end
  t.share(count.a, n, 1 / 2)
end)

-- test/chan/fifo, select4, select5, select7, doubleselect, goroutines, nonblock, perm, powser1, sieve1, zerosize
t.test("go: select over put and get with helpers is fair", function()
  local n = t.scale(4000, 800)
  local puts, gets = weft.channel(), weft.channel()
  local count = { put = 0, get = 0 }
  weft.scope(function(s)
    s:daemon(function() while true do puts:get() end end)
    s:daemon(function() while true do gets:put(1) end end)
    for _ = 1, n do
      weft.yield()                        -- both helpers wait
      local name = weft.select { put = puts:put_op(1), get = gets:get_op() }
      count[name] = count[name] + 1
    end
  end)
  t.share(count.put, n, 1 / 2)
end)

t.test("go: a busy channel does not starve a fiber that waits for another (issue 1 of select fairness)", function()
  local busy, rare, got = weft.channel(), weft.channel(), nil
  weft.scope(function(s)
    s:daemon(function() while true do busy:put(1) end end)
    s:spawn(function()
      weft.sleep(0.005)
      rare:put "rare"
    end)
    repeat
      got = weft.choose(busy:get_op(), rare:get_op()):perform()
    until got == "rare"
  end)
  t.eq(got, "rare")
end)

t.test("go: doubleselect, no value arrives twice", function()
  local n = t.scale(5000, 200)
  local chans, done = {}, weft.channel()
  for i = 1, 4 do chans[i] = weft.channel() end
  local out = weft.channel()
  weft.spawn(function()
    for i = 1, n do
      weft.choose(chans[1]:put_op(i), chans[2]:put_op(i), chans[3]:put_op(i), chans[4]:put_op(i)):perform()
    end
    for i = 1, 4 do chans[i]:close() end
  end)
  for i = 1, 4 do
    weft.spawn(function()
      each_message(chans[i], function(v) out:put(v) end)
      done:put(true)
    end)
  end
  weft.spawn(function()
    for _ = 1, 4 do done:get() end
    out:close()
  end)
  local seen, count = {}, 0
  each_message(out, function(v)
    t.eq(seen[v], nil, "twice")
    seen[v], count = true, count + 1
  end)
  t.eq(count, n)
end)

t.test("go: select3, what blocks and what does not", function()
  local function blocks(op) return not op:try() end
  local ch, buffered, closed = weft.channel(), weft.channel(2), weft.channel()
  closed:close()
  t.eq(blocks(ch:get_op()), true)
  t.eq(blocks(ch:put_op(1)), true)
  t.eq(blocks(buffered:get_op()), true)
  t.eq(blocks(buffered:put_op(1)), false)
  t.eq(blocks(buffered:put_op(2)), false)
  t.eq(blocks(buffered:put_op(3)), true)
  t.eq(blocks(buffered:get_op()), false)
  t.eq(blocks(closed:get_op()), false)
  t.raises("closed", function() closed:put_op(1):try() end)
  t.eq(blocks(weft.choose(ch:get_op(), ch:put_op(1))), true)
  t.eq(blocks(weft.choose(ch:get_op(), closed:get_op())), false)
end)

t.test("go: selectors that pass a token around (select5, select6)", function()
  local a, b = weft.channel(1), weft.channel(1)
  a:put(0)
  local n = t.scale(2000, 100)
  weft.scope(function(s)
    for _ = 1, 4 do
      s:spawn(function()
        for _ = 1, n do
          local v = weft.choose(a:get_op(), b:get_op()):perform()
          weft.choose(a:put_op(v + 1), b:put_op(v + 1)):perform()
        end
      end)
    end
  end)
  t.eq(weft.choose(a:get_op(), b:get_op()):perform(), 4 * n)
end)

-- ---------------------------------------------------------------- Go: sieve, chains, rings, trees

t.test("go: sieve", function()
  local primes, n = {}, t.quick and 50 or 300
  weft.scope(function(s)
    local function generate(ch)
      local i = 2
      while true do
        ch:put(i)
        i = i + 1
      end
    end
    local function filter(from, to, prime)
      while true do
        local i = from:get()
        if i % prime ~= 0 then to:put(i) end
      end
    end
    local ch = weft.channel()
    s:daemon(generate, ch)
    for k = 1, n do
      primes[k] = ch:get()
      local next_ch = weft.channel()
      s:daemon(filter, ch, next_ch, primes[k])
      ch = next_ch
    end
  end)
  t.eq(primes[50], 229)
  if n == 300 then t.eq(primes[300], 1987) end
end)

t.test("go: a chain of 10,000 goroutines passes a number along", { memory = 8192 }, function()
  local n = t.scale(10000, 500)
  weft.scope(function(s)
    local left = weft.channel()
    local first = left
    for _ = 1, n do
      local right = weft.channel()
      local l = left
      s:spawn(function()
        local v = right:get()
        l:put(v + 1)
      end)
      left = right
    end
    left:put(0)
    t.eq(first:get(), n)
  end)
end)

t.test("go: a ring of 1,000 fibers, a token goes round", { memory = 2048 }, function()
  local n, rounds = 1000, t.scale(100, 3)
  local chans = {}
  for i = 1, n do chans[i] = weft.channel() end
  weft.scope(function(s)
    for i = 1, n do
      s:spawn(function()
        local from, to = chans[i], chans[i % n + 1]
        for round = 1, rounds do
          local v = from:get()
          if i < n or round < rounds then to:put(v + 1) end
          if i == n and round == rounds then t.eq(v, n * rounds - 1) end
        end
      end)
    end
    chans[1]:put(0)
  end)
end)

t.test("go: a ring of 1,000 fibers that choose between both neighbours", { memory = 4096 }, function()
  local n = 1000
  local chans, moves = {}, 0
  for i = 1, n do chans[i] = weft.channel() end
  local limit = t.scale(50000, 2000)
  weft.scope(function(s)
    local stop = weft.channel()
    for i = 1, n do
      s:spawn(function()
        local left, right = chans[i], chans[i % n + 1]
        while true do
          local token = weft.choose(left:get_op(), right:get_op(), stop:get_op()):perform()
          if not token then return end
          moves = moves + 1
          if moves == limit then
            stop:close()
            return
          end
          local sent = weft.choose(left:put_op(token), right:put_op(token),
            stop:get_op():wrap(function() return false end)):perform()
          if not sent then return end
        end
      end)
    end
    chans[1]:put "token"
  end)
  t.eq(moves, limit)
end)

t.test("go: a tree of producers and consumers", function()
  -- 3 levels: each node merges what its children send; the root gets all, in order for each leaf.
  local each = t.scale(200, 10)
  local got, last = 0, {}
  weft.scope(function(s)
    local leaf = 0
    local function node(level, out, done)
      if level == 0 then
        leaf = leaf + 1
        local id = leaf
        s:spawn(function()
          for i = 1, each do out:put { id, i } end
          done()
        end)
        return
      end
      local merged, open = weft.channel(level), 3
      for _ = 1, 3 do
        node(level - 1, merged, function()
          open = open - 1
          if open == 0 then merged:close() end
        end)
      end
      s:spawn(function()
        each_message(merged, function(m) out:put(m) end)
        done()
      end)
    end
    local root = weft.channel()
    node(3, root, function() root:close() end)
    each_message(root, function(m)
      t.eq(m[2], (last[m[1]] or 0) + 1)
      last[m[1]] = m[2]
      got = got + 1
    end)
  end)
  t.eq(got, 27 * each)
end)

t.test("go: power series, demand driven (powser1 in small)", function()
  weft.scope(function(s)
    local function series(f)
      local request, data = weft.channel(), weft.channel()
      s:daemon(function()
        local i = 0
        while true do
          request:get()
          data:put(f(i))
          i = i + 1
        end
      end)
      return function()
        request:put(true)
        return data:get()
      end
    end
    local ones, ints = series(function() return 1 end), series(function(i) return i end)
    local sum = series(function() return ones() + ints() end)
    local squares = series(function()
      local v = sum()
      return v * v
    end)
    for i = 1, 50 do t.eq(squares(), i * i) end
  end)
end)

t.test("go: peano by fibers, depth 5,000 of joins", { memory = 8192 }, function()
  local n = t.scale(5000, 200)
  local function add(k)
    if k == 0 then return 0 end
    return weft.spawn(add, k - 1):join() + 1
  end
  t.eq(weft.spawn(add, n):join(), n)
end)

-- ---------------------------------------------------------------- many

t.test("1,000,000 spawns", { slow = true }, function()
  local n, ended = t.scale(1000000, 10000), 0
  for _ = 1, n / 100 do
    weft.scope(function(s)
      for _ = 1, 100 do s:spawn(function() ended = ended + 1 end) end
    end)
  end
  t.eq(ended, math.floor(n / 100) * 100)
end)

t.test("100,000 fibers alive at once", { slow = true, memory = 65536 }, function()
  local n, ch, sum = t.scale(100000, 1000), weft.channel(), 0
  weft.scope(function(s)
    for _ = 1, n do
      s:spawn(function()
        local v = ch:get()
        sum = sum + v
      end)
    end
    weft.yield()
    for _ = 1, n do ch:put(1) end
  end)
  t.eq(sum, n)
end)

t.test("10,000 timers at random, each at its time", { memory = 4096 }, function()
  local n, early, last_late = t.scale(10000, 500), 0, 0
  weft.scope(function(s)
    for i = 1, n do
      local seconds = (i * 7919 % 100) / 1000
      s:spawn(function()
        local start = weft.now()
        weft.sleep(seconds)
        local took = weft.now() - start
        if took < seconds then early = early + 1 end
        if took > last_late then last_late = took end
      end)
    end
  end)
  t.eq(early, 0)
end)

t.test("parallel sums by waitgroup, mutex and channel agree", function()
  local n, by_mutex, by_channel = t.scale(1000, 50), 0, 0
  local wg, m, ch = weft.waitgroup(), weft.mutex(), weft.channel(16)
  wg:add(n)
  for i = 1, n do
    weft.spawn(function()
      m:with(function()
        local read = by_mutex
        if i % 7 == 0 then weft.yield() end
        by_mutex = read + i
      end)
      ch:put(i)
      wg:done()
    end)
  end
  weft.spawn(function()
    wg:wait()
    ch:close()
  end)
  each_message(ch, function(v) by_channel = by_channel + v end)
  t.eq(by_mutex, n * (n + 1) / 2)
  t.eq(by_channel, n * (n + 1) / 2)
end)

-- ---------------------------------------------------------------- cancel while parked on each

local parked = {
  channel_get = function() weft.channel():get() end,
  channel_put = function() weft.channel():put(1) end,
  full_buffer = function()
    local ch = weft.channel(1)
    ch:put(1)
    ch:put(2)
  end,
  iter = function()
    local next_message, ch = weft.channel():iter()
    next_message(ch)
  end,
  sleep = function() weft.sleep(3600) end,
  sleep_until = function() weft.sleep_until(weft.now() + 3600) end,
  never = function() weft.never():perform() end,
  choice = function() weft.choose(weft.channel():get_op(), weft.sleep_op(3600)):perform() end,
  guarded = function() weft.guard(function() return weft.never() end):perform() end,
  nacked = function() weft.with_nack(function() return weft.never() end):perform() end,
  timeout = function() weft.timeout(weft.never(), 3600):perform() end,
  base_op = function() weft.base_op(nil, function() return false end, function() end):perform() end,
  join = function() weft.daemon(function() weft.never():perform() end):join() end,
  scope = function() weft.scope(function(s) s:spawn(weft.sleep, 3600) end) end,
  scope_op = function() weft.scope_op(function() weft.sleep(3600) end):perform() end,
  race = function() weft.race { function() weft.sleep(3600) end, weft.never() }:perform() end,
  mutex = function()
    local m = weft.mutex()
    weft.spawn(function()
      m:lock()
      weft.sleep(3600)
    end)
    weft.yield()
    m:lock()
  end,
  rwmutex_read = function()
    local m = weft.rwmutex()
    weft.spawn(function()
      m:lock()
      weft.sleep(3600)
    end)
    weft.yield()
    m:rlock()
  end,
  semaphore = function() weft.semaphore(0):acquire() end,
  cond = function()
    local m = weft.mutex()
    m:with(function() weft.cond(m):wait() end)
  end,
  waitgroup = function()
    local wg = weft.waitgroup()
    wg:add(1)
    wg:wait()
  end,
  latch = function() weft.latch(1):wait() end,
  barrier = function() weft.barrier(2):wait() end,
  oneshot = function() weft.oneshot():get() end,
  broadcast = function() weft.broadcast(1):subscribe():get() end,
  watch = function() weft.watch(1):changed_op():perform() end,
  ticker = function()
    local ticker = weft.ticker(3600)
    weft.defer(function() ticker:stop() end)
    ticker:next()
  end,
  pool = function()
    local pool = weft.pool { limit = 1 }
    pool:go(weft.sleep, 3600)
    pool:wait()
  end,
  map = function() weft.map({ 1, 2, 3 }, function() weft.sleep(3600) end, { limit = 2 }) end,
  generator = function() coroutine.wrap(function() coroutine.wrap(weft.sleep)(3600) end)() end,
}

for _, moment in ipairs { "parked", "a turn after the spawn", "before it has begun" } do
  t.test("cancel on each wait: " .. moment, function()
    for name, wait in pairs(parked) do
      local cleaned
      weft.scope(function(s)
        local f
        s:spawn(function()
          f = weft.self()
          weft.defer(function() cleaned = true end)
          wait()
        end):name(name)
        if moment == "before it has begun" then
          s:cancel "stop"
          return
        end
        if moment == "parked" then t.settle(6) else weft.yield() end
        if moment == "parked" then t.eq(f:status(), "parked", name) end
        s:cancel "stop"
      end)
      t.eq(cleaned, true, name)
    end
  end)
end

t.test("cancel of the fiber alone, parked on each wait, is reported as that", function()
  for name, wait in pairs(parked) do
    weft.scope(function(s)
      local f = s:async(wait)
      t.settle(6)
      f:cancel(name)
      local ok, e = t.pcall(f.join, f)
      t.eq(ok, false, name)
      t.eq(weft.is_cancelled(e), true, name .. ": " .. tostring(e))
      t.eq(e.reason, name)
      t.eq(f:status(), "cancelled", name)
      s:cancel()                          -- whatever the fiber has spawned beside it
    end)
  end
end)
