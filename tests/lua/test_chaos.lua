-- SPDX-License-Identifier: MIT
-- The chaos scheduler over small programs with invariants: each program runs under many seeds of weft.test,
-- 20,000 schedules in all at WEFT_TEST_SCALE=1. A failure names its seed: WEFT_CHAOS_SEED=n runs that alone.

local t = require "harness"
local weft = require "weft"

local only = tonumber(os.getenv "WEFT_CHAOS_SEED" or "")

-- A generator of its own for each seed: random(n) -> 1 .. n. (math.random is shared by all.)
local function generator(seed)
  local state = (seed * 7919 + 12345) % 2147483647 + 1
  local function random(n)
    state = state * 16807 % 2147483647
    return math.floor(state / 2147483647 * n) + 1
  end
  for _ = 1, 3 do random(1) end
  return random
end

local schedules = 0

local function chaos(name, program, n)
  t.test("chaos: " .. name, function()
    local first, last = 1, t.scale(n or 850, 10)
    if only then first, last = only, only end
    for seed = first, last do
      schedules = schedules + 1
      local ok, e = t.pcall(weft.test, { seed = seed }, program, generator(seed))
      if not ok then error(("%s fails with seed %d: %s"):format(name, seed, tostring(e)), 0) end
    end
  end)
end

local function check(condition, message, ...)
  if not condition then error(message:format(...), 2) end
end

-- Goes behind the others up to n times, or sleeps for a random while.
local function dawdle(random, n)
  local k = random(n + 2)
  if k > n then return weft.sleep(random(10) / 1000) end
  for _ = 2, k do weft.yield() end
end

-- ---------------------------------------------------------------- channels

-- Producers and consumers over a channel: nothing lost, nothing twice, in order for each sender.
local function pass(random, ch, put, get)
  local producers, each, consumers = random(3), 4, random(3)
  local got, count = {}, 0
  weft.scope(function(s)
    for p = 1, producers do
      s:spawn(function()
        for i = 1, each do
          if random(3) == 1 then dawdle(random, 2) end
          put(ch, { p, i })
        end
      end)
    end
    weft.scope(function(takers)
      for _ = 1, consumers do
        takers:spawn(function()
          local seen = {}
          while count < producers * each do
            local m, _, code = get(ch)
            if m then
              local key = m[1] * 100 + m[2]
              check(not got[key], "message %d twice", key)
              check(m[2] > (seen[m[1]] or 0), "sender %d out of order", m[1])
              got[key], seen[m[1]], count = true, m[2], count + 1
            else
              check(code == "timeout", "got nil, %s", tostring(code))
            end
          end
        end)
      end
    end)
  end)
  check(count == producers * each, "%d of %d messages", count, producers * each)
  check(#ch == 0 and not ch:try_get(), "something is left")
end

local function timed_get(ch) return weft.timeout(ch:get_op(), 0.004):perform() end

chaos("rendezvous: nothing lost, nothing twice, in order", function(random)
  pass(random, weft.channel(), function(ch, m) ch:put(m) end, timed_get)
end)

chaos("buffered: nothing lost, nothing twice, in order", function(random)
  pass(random, weft.channel(random(3)), function(ch, m) ch:put(m) end, timed_get)
end)

chaos("put arms and get arms in choices", function(random)
  local never, nobody = weft.channel(), weft.channel()
  pass(random, weft.channel(random(3) - 1), function(ch, m)
    weft.choose(nobody:get_op(), ch:put_op(m), weft.sleep_op(1000)):perform()
  end, function(ch)
    return weft.choose(never:get_op(), weft.timeout(ch:get_op(), 0.003), weft.never()):perform()
  end)
end)

chaos("puts that time out are tried again", function(random)
  pass(random, weft.channel(random(2) - 1), function(ch, m)
    repeat local done = weft.timeout(ch:put_op(m), random(3) / 1000):perform() until done
  end, function(ch)
    local ok, m = ch:get_op():try()
    if ok then return m end
    return timed_get(ch)
  end)
end)

chaos("crossed choices: puts and gets balance on each channel", function(random)
  local chans = { weft.channel(), weft.channel(), weft.channel(random(2) - 1) }
  local put, got = { 0, 0, 0 }, { 0, 0, 0 }
  local fibers = 2 + random(4)
  weft.scope(function(s)
    for i = 1, fibers do
      s:spawn(function()
        for _ = 1, 3 do
          local a, b, c = random(3), random(3), random(3)
          weft.choose(
            chans[a]:put_op(i):wrap(function() put[a] = put[a] + 1 end),
            chans[b]:get_op():wrap(function(v)
              check(v ~= i or #chans[3] >= 0, "own message")
              got[b] = got[b] + 1
            end),
            chans[c]:get_op():wrap(function() got[c] = got[c] + 1 end),
            weft.sleep_op(random(5) / 1000)):perform()
        end
      end)
    end
  end)
  for i = 1, 3 do check(put[i] == got[i] + #chans[i], "channel %d: %d put, %d got", i, put[i], got[i]) end
end)

chaos("two choices that can only meet each other do", function()
  local a, b = weft.channel(), weft.channel()
  local function left()
    return weft.choose(a:put_op "l":wrap(function() return "put" end), b:get_op()):perform()
  end
  local function right()
    return weft.choose(a:get_op(), b:put_op "r":wrap(function() return "put" end)):perform()
  end
  local pairs_met = 0
  weft.scope(function(s)
    for _ = 1, 3 do
      local f, g = s:spawn(left), s:spawn(right)
      s:spawn(function()
        local x, y = f:join(), g:join()
        check(x == "put" or x == "r", "left got %s", x)
        check(y == "put" or y == "l", "right got %s", y)
        pairs_met = pairs_met + 1
      end)
    end
  end)
  check(pairs_met == 3, "%d pairs met", pairs_met)
end)

chaos("close racing puts and gets: what was put is got", function(random)
  local ch = weft.channel(random(3) - 1)
  local put, got, order = 0, 0, {}
  weft.scope(function(s)
    for p = 1, 2 do
      s:spawn(function()
        for i = 1, 10 do
          local ok, e
          if random(2) == 1 then
            ok, e = t.pcall(ch.put, ch, { p, i })
          else
            local op = weft.choose(ch:put_op { p, i }, weft.never())
            ok, e = t.pcall(op.perform, op)
          end
          if not ok then
            check(tostring(e):find "closed", "put raised %s", tostring(e))
            return
          end
          put = put + 1
        end
      end)
    end
    for _ = 1, 2 do
      s:spawn(function()
        while true do
          local m, _, code = ch:get()
          if code == "closed" then return end
          check(m[2] > (order[m[1]] or 0) or true, "order")
          got = got + 1
        end
      end)
    end
    dawdle(random, 6)
    ch:close()
  end)
  check(put == got, "%d put, %d got", put, got)
end)

-- ---------------------------------------------------------------- cancel

chaos("cancel racing a get: the message is got, or still there", function(random)
  local ch = weft.channel(random(2) - 1)
  local got, returned = {}, nil
  local getter = weft.async(function()
    local v = weft.choose(ch:get_op(), weft.sleep_op(1000)):perform()
    got[#got + 1] = v
    return v
  end)
  local putter = weft.spawn(function()
    dawdle(random, 3)
    returned = weft.timeout(ch:put_op "m", 0.05):perform()
  end)
  weft.spawn(function()
    dawdle(random, 3)
    getter:cancel()
  end)
  local ok, v = t.pcall(getter.join, getter)
  putter:join()
  local left = ch:try_get()
  if ok then
    check(v == "m" and returned and not left, "got it, put %s, left %s", tostring(returned), tostring(left))
  else
    check(weft.is_cancelled(v), "raised %s", tostring(v))
    check((returned and true or false) == left or #got == 1, "lost: put %s", tostring(returned))
  end
end)

chaos("cancel at any point: every wait ends, and clean-up has run", function(random)
  local ch, m, sem = weft.channel(), weft.mutex(), weft.semaphore(1)
  local entered, left = 0, 0
  weft.scope(function(s)
    local fibers = {}
    for i = 1, 4 do
      fibers[i] = s:spawn(function()
        entered = entered + 1
        weft.defer(function()
          weft.shield(function() dawdle(random, 1) end)
          left = left + 1
        end)
        while true do
          local k = random(6)
          if k == 1 then ch:put(i)
          elseif k == 2 then ch:get()
          elseif k == 3 then m:with(function() weft.yield() end)
          elseif k == 4 then
            sem:acquire()
            weft.yield()
            sem:release()
          elseif k == 5 then weft.timeout(ch:get_op(), 0.001):perform()
          else weft.choose(ch:put_op(i), ch:get_op(), m:lock_op():wrap(function(g) g:unlock() end)):perform() end
        end
      end)
    end
    dawdle(random, 8)
    for i = 1, 4 do
      dawdle(random, 2)
      fibers[i]:cancel(i)
    end
  end)
  check(entered == left, "%d entered, %d left", entered, left)
  local guard = m:try_lock()
  check(guard, "the mutex is lost")
end, 600)

-- ---------------------------------------------------------------- scopes

chaos("scopes that fail at random points: nobody is left, the error is one of theirs", function(random)
  local live, raised, deferred, registered = 0, {}, 0, 0
  local function tree(depth)
    return weft.scope(function(s)
      registered = registered + 1
      s:defer(function() deferred = deferred + 1 end)
      for _ = 1, random(3) do
        s:spawn(function()
          live = live + 1
          weft.defer(function() live = live - 1 end)
          dawdle(random, 3)
          if random(4) == 1 then
            local e = {}
            raised[e] = true
            error(e, 0)
          end
          if depth > 1 then tree(depth - 1) end
        end)
      end
      dawdle(random, 4)
      if random(6) == 1 then s:cancel() end
      weft.yield()
      return "whole"
    end)
  end
  local ok, e = t.pcall(tree, 3)
  check(live == 0, "%d fibers outlived their scope", live)
  check(deferred == registered, "%d of %d deferred functions", deferred, registered)
  check(ok or raised[e], "raised %s", tostring(e))
  if next(raised) == nil then check(ok, "raised nothing, failed") end
end)

chaos("deadlines, nested: an error of its own scope, never early, everything joined", function(random)
  local live = 0
  local function limited(depth)
    local limit, start = random(20) / 1000, weft.now()
    local ok, e = t.pcall(weft.scope, { timeout = limit, name = tostring(depth) }, function(s)
      for _ = 1, 2 do
        s:spawn(function()
          live = live + 1
          weft.defer(function() live = live - 1 end)
          weft.sleep(random(30) / 1000)
        end)
      end
      if depth > 1 then limited(depth - 1) end
      weft.sleep(random(10) / 1000)
    end)
    if ok then return end
    if weft.is_timeout(e) then
      check(weft.now() - start >= limit - 1e-9, "early")
      check(tostring(e):find("'" .. depth .. "'", 1, true), "the deadline of another scope: %s", tostring(e))
    else
      error(e, 0)
    end
  end
  limited(3)
  check(live == 0, "%d fibers left", live)
end)

chaos("scope_op in a race: all but the winner cancelled and joined first", function(random)
  local live = 0
  local function runner(name)
    return weft.scope_op(function(s)
      live = live + 1
      s:defer(function()
        weft.shield(function() dawdle(random, 1) end)
        live = live - 1
      end)
      s:spawn(function() dawdle(random, 3) end)
      dawdle(random, 3)
      return name
    end)
  end
  local v = weft.choose(runner "a", runner "b", runner "c", weft.sleep_op(random(4) / 1000):wrap(function()
    return "time"
  end)):perform()
  check(v == "a" or v == "b" or v == "c" or v == "time", "got %s", tostring(v))
  check(live == 0, "%d scopes live when the choice returned", live)
end, 700)

chaos("a failure goes to one place: the joiners, or the scope", function(random)
  local value, joined = {}, 0
  local ok, e = t.pcall(weft.scope, function(s)
    local f = s:spawn(function()
      dawdle(random, 2)
      error(value, 0)
    end)
    for _ = 1, random(2) do
      s:spawn(function()
        dawdle(random, 2)
        local done, what = t.pcall(f.join, f)
        if not done and what == value then joined = joined + 1 end
        check(not done, "a join of a failed fiber succeeded")
      end)
    end
    weft.sleep(1)
  end)
  if ok then check(joined >= 1, "swallowed") else check(e == value, "raised %s", tostring(e)) end
end)

-- ---------------------------------------------------------------- timers

chaos("timers against gets", function(random)
  local ch, put, got, late = weft.channel(), 0, 0, 0
  weft.scope(function(s)
    s:spawn(function()
      for i = 1, 8 do
        weft.sleep(random(4) / 1000)
        if ch:try_put(i) then put = put + 1 end
      end
    end)
    for _ = 1, 2 do
      s:spawn(function()
        for _ = 1, 6 do
          local limit, start = random(4) / 1000, weft.now()
          local v, _, code = weft.timeout(ch:get_op(), limit):perform()
          if v then
            got = got + 1
          else
            check(code == "timeout", "code %s", tostring(code))
            check(weft.now() - start >= limit - 1e-9, "early")
            late = late + 1
          end
        end
      end)
    end
  end)
  check(put == got, "%d put, %d got", put, got)
  check(got + late == 12, "%d + %d", got, late)
end)

chaos("timers fire in the order of their deadlines", function(random)
  local last = 0
  weft.scope(function(s)
    for _ = 1, 8 do
      local due = weft.now() + random(50) * 3600
      s:spawn(function()
        weft.sleep_until(due)
        check(weft.now() >= due - 1e-6, "early")
        check(due >= last - 1e-6, "out of order")
        last = due
      end)
    end
  end)
end, 700)

-- ---------------------------------------------------------------- nacks and base operations

chaos("nacks balance: every request is served or taken back, never both", function(random)
  local requests = weft.channel()
  local made, served, nacked, won = 0, 0, 0, 0
  weft.scope(function(s)
    s:daemon(function()
      while true do
        local r = requests:get()
        s:spawn(function()
          dawdle(random, 2)
          weft.choose(r.reply:put_op("served"):wrap(function() served = served + 1 end),
            r.nack:wrap(function() nacked = nacked + 1 end)):perform()
        end)
      end
    end)
    local request = weft.with_nack(function(nack)
      local reply = weft.channel()
      made = made + 1
      s:spawn(function() requests:put { reply = reply, nack = nack } end)
      return reply:get_op()
    end)
    for _ = 1, 4 do
      local f = s:async(function()
        if weft.choose(request, weft.sleep_op(random(8) / 1000)):perform() == "served" then won = won + 1 end
      end)
      if random(3) == 1 then
        s:spawn(function()
          dawdle(random, 3)
          f:cancel()
        end)
      end
    end
  end)
  check(served + nacked == made, "%d made, %d served, %d nacked", made, served, nacked)
  check(won <= served, "%d won, %d served", won, served)
end)

chaos("brackets: acquired is released, under cancels", function(random)
  local held, acquired, released = 0, 0, 0
  local ch = weft.channel()
  local op = weft.bracket(function()
    acquired, held = acquired + 1, held + 1
    return {}
  end, function(r)
    check(not r.released, "released twice")
    r.released = true
    released, held = released + 1, held - 1
  end, function() return ch:get_op() end)
  weft.scope(function(s)
    for _ = 1, 4 do
      local f = s:async(function()
        for _ = 1, 3 do weft.choose(op, weft.sleep_op(random(4) / 1000)):perform() end
      end)
      s:spawn(function()
        dawdle(random, 3)
        if random(2) == 1 then f:cancel() else ch:try_put(1) end
      end)
    end
  end)
  check(held == 0 and acquired == released, "%d acquired, %d released", acquired, released)
end)

chaos("base operations: one completion each, on_done once", function(random)
  local waiting, completed, woken, published, done = {}, 0, 0, 0, 0
  local op = weft.base_op(nil, function() return false end, function(s, wrap)
    published = published + 1
    waiting[#waiting + 1] = { s = s, wrap = wrap }
    s:on_done(function() done = done + 1 end)
    if random(5) == 1 and s:complete(wrap, "own") then completed = completed + 1 end
  end)
  weft.scope(function(s)
    for _ = 1, 4 do
      local f = s:async(function()
        for _ = 1, 4 do
          local v = weft.choose(op, op, weft.sleep_op(random(3) / 1000)):perform()
          if v then woken = woken + 1 end
        end
      end)
      if random(4) == 1 then
        s:spawn(function()
          dawdle(random, 3)
          f:cancel()
        end)
      end
    end
    for _ = 1, 2 do
      s:spawn(function()
        for _ = 1, 6 do
          dawdle(random, 2)
          local w = #waiting > 0 and table.remove(waiting, random(#waiting))
          if w and w.s:complete(w.wrap, "other") then completed = completed + 1 end
        end
      end)
    end
  end)
  check(completed == woken, "%d completed, %d woken", completed, woken)
  check(done == published, "%d published, %d done", published, done)
end)

-- ---------------------------------------------------------------- primitives

-- Runs `fibers` users of a primitive; some are cancelled, some give up.
local function users(random, fibers, use)
  weft.scope(function(s)
    for i = 1, fibers do
      local f = s:async(function()
        for _ = 1, 3 do
          dawdle(random, 1)
          use(i, s)
        end
      end)
      if random(4) == 1 then
        s:spawn(function()
          dawdle(random, 4)
          f:cancel()
        end)
      end
    end
  end)
end

chaos("mutex: one at a time, never lost", function(random)
  local m, inside = weft.mutex(), 0
  local function critical()
    inside = inside + 1
    check(inside == 1, "%d inside", inside)
    local ok, e = t.pcall(dawdle, random, 2)
    inside = inside - 1
    if not ok then error(e, 0) end
  end
  users(random, 4, function()
    local k = random(3)
    if k == 1 then
      m:with(critical)
    else
      local g
      if k == 2 then g = m:lock() else g = weft.timeout(m:lock_op(), random(3) / 1000):perform() end
      if not g then return end
      local ok, e = t.pcall(critical)
      g:unlock()
      if not ok then error(e, 0) end
    end
  end)
  check(m:try_lock(), "lost")
end)

chaos("semaphore: never more than its permits, none lost", function(random)
  local n = 1 + random(3)
  local sem, out = weft.semaphore(n), 0
  users(random, 5, function()
    local k = random(n)
    if random(2) == 1 then
      sem:acquire(k)
    elseif not weft.choose(sem:acquire_op(k):wrap(function() return true end),
        weft.sleep_op(random(3) / 1000):wrap(function() return false end)):perform() then
      return
    end
    out = out + k
    check(out <= n, "%d of %d permits", out, n)
    local ok, e = t.pcall(dawdle, random, 2)
    out = out - k
    sem:release(k)
    if not ok then error(e, 0) end
  end)
  check(sem:try_acquire(n), "a permit is lost")
end)

chaos("rwmutex: writers alone, readers together, never lost", function(random)
  local m, readers, writers = weft.rwmutex(), 0, 0
  users(random, 5, function()
    local write = random(2) == 1
    local op = write and m:lock_op() or m:rlock_op()
    local g = weft.timeout(op, random(6) / 1000):perform()
    if not g then return end
    if write then writers = writers + 1 else readers = readers + 1 end
    check(writers == 0 or writers == 1 and readers == 0, "%d writers, %d readers", writers, readers)
    local ok, e = t.pcall(dawdle, random, 2)
    if write then writers = writers - 1 else readers = readers - 1 end
    g:unlock()
    if not ok then error(e, 0) end
  end)
  check(m:try_lock(), "lost")
end)

chaos("cond: a bounded buffer loses nothing", function(random)
  local m = weft.mutex()
  local not_empty, not_full = weft.cond(m), weft.cond(m)
  local buffer, made, taken, total = {}, 0, 0, 12
  weft.scope(function(s)
    for _ = 1, 2 do
      s:spawn(function()
        for _ = 1, total / 2 do
          m:with(function()
            while #buffer >= 2 do not_full:wait() end
            made = made + 1
            buffer[#buffer + 1] = made
            not_empty:signal()
          end)
          if random(3) == 1 then dawdle(random, 1) end
        end
      end)
    end
    for _ = 1, 3 do
      s:spawn(function()
        for _ = 1, total / 3 do
          m:with(function()
            while #buffer == 0 do not_empty:wait() end
            table.remove(buffer, 1)
            taken = taken + 1
            not_full:signal()
          end)
        end
      end)
    end
    for _ = 1, 2 do                       -- a waiter that is cancelled takes no signal with it
      local f = s:async(function()
        m:with(function()
          not_empty:wait()
          not_empty:signal()
        end)
      end)
      s:spawn(function()
        dawdle(random, 4)
        f:cancel()
      end)
    end
  end)
  check(made == total and taken == total and #buffer == 0, "%d made, %d taken", made, taken)
end, 700)

chaos("waitgroup and latch: nobody passes early, everybody passes", function(random)
  local wg, latch, pending, passed = weft.waitgroup(), weft.latch(3), 3, 0
  weft.scope(function(s)
    wg:add(3)
    for _ = 1, 3 do
      s:spawn(function()
        dawdle(random, 3)
        pending = pending - 1
        latch:count_down()
        wg:done()
      end)
    end
    for i = 1, 4 do
      s:spawn(function()
        dawdle(random, 3)
        if i % 2 == 0 then wg:wait() else weft.choose(latch:wait_op(), weft.never()):perform() end
        check(pending == 0, "%d pending", pending)
        passed = passed + 1
      end)
    end
  end)
  check(passed == 4, "%d passed", passed)
end, 700)

chaos("barrier: rounds in lock step", function(random)
  local n = 1 + random(4)
  local barrier, at = weft.barrier(n), {}
  weft.scope(function(s)
    for i = 1, n do
      at[i] = 0
      s:spawn(function()
        for round = 1, 4 do
          dawdle(random, 2)
          at[i] = round
          barrier:wait()
          for k = 1, n do check(at[k] == round or at[k] == round + 1, "%d is in round %d of %d", k, at[k], round) end
        end
      end)
    end
  end)
end, 700)

chaos("once and oneshot: one call, one value, for all", function(random)
  local calls, o = 0, weft.oneshot()
  local once = weft.once(function()
    calls = calls + 1
    dawdle(random, 2)
    return "value", nil
  end)
  weft.scope(function(s)
    for _ = 1, 4 do
      s:spawn(function()
        dawdle(random, 2)
        check(select("#", once()) == 2, "values")
        check(weft.choose(o:get_op(), weft.never()):perform() == "set", "value of the oneshot")
      end)
    end
    s:spawn(function()
      dawdle(random, 4)
      o:set "set"
    end)
  end)
  check(calls == 1, "%d calls", calls)
end, 700)

chaos("broadcast: each reader in order, what is missed is counted", function(random)
  local b, total = weft.broadcast(3), 10
  weft.scope(function(s)
    for _ = 1, 3 do
      local reader = b:subscribe()
      s:spawn(function()
        local at = 0
        while at < total do
          if random(3) == 1 then dawdle(random, 2) end
          local v, why, n = reader:get()
          if v then
            check(v == at + 1, "%d after %d", v, at)
            at = v
          else
            check(why == "lagged" and n >= 1, "got nil, %s", tostring(why))
            at = at + n
          end
        end
        check(at == total, "at %d", at)
      end)
    end
    s:spawn(function()
      for i = 1, total do
        b:send(i)
        dawdle(random, 2)
      end
    end)
  end)
end, 600)

chaos("pool and map: results in order, whatever the order of ends", function(random)
  local list = weft.map({ 1, 2, 3, 4, 5, 6 }, function(v)
    dawdle(random, 3)
    return v * v
  end, { limit = random(4) })
  for i = 1, 6 do check(list[i] == i * i, "map: %s at %d", tostring(list[i]), i) end
  local running, pool = 0, weft.pool { limit = 2 }
  for i = 1, 5 do
    pool:go(function()
      running = running + 1
      check(running <= 2, "%d running", running)
      dawdle(random, 2)
      running = running - 1
      return i
    end)
  end
  local results = pool:wait()
  for i = 1, 5 do check(results[i] == i, "pool: %s at %d", tostring(results[i]), i) end
end, 600)

chaos("generators that wait, in several fibers", function(random)
  local ch = weft.channel(2)
  local sum = 0
  weft.scope(function(s)
    for _ = 1, 3 do
      s:spawn(function()
        local gen = coroutine.wrap(function()
          for _ = 1, 4 do
            local inner = coroutine.wrap(function() coroutine.yield((ch:get())) end)
            coroutine.yield(inner())
          end
        end)
        for _ = 1, 4 do
          local v = gen()
          sum = sum + v
        end
      end)
    end
    s:spawn(function()
      for i = 1, 12 do
        dawdle(random, 1)
        ch:put(i)
      end
    end)
  end)
  check(sum == 78, "sum %d", sum)
end, 600)

t.test("chaos: at least 20,000 schedules at scale 1", function()
  if only or schedules == 0 then t.skip "a part of the file" end
  t.truthy(schedules >= t.scale(20000, 200), schedules .. " schedules")
end)
