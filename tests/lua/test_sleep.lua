-- SPDX-License-Identifier: MIT
-- Time: sleep, sleep_until, now.

local t = require "harness"
local weft = require "weft"

t.test("now is a number of seconds that never goes back", function()
  local last = weft.now()
  t.eq(type(last), "number")
  for _ = 1, 10000 do
    local n = weft.now()
    if n < last then t.fail("went back") end
    last = n
  end
end)

t.test("now is fresh, without a yield between", function()
  local start = weft.now()
  local rounds = 0
  while weft.now() == start and rounds < 1e7 do rounds = rounds + 1 end
  t.truthy(weft.now() > start)
end)

t.test("never early", function()
  for _, s in ipairs { 0, 0.0001, 0.0005, 0.001, 0.0033, 0.01, 0.1 } do
    for _ = 1, 3 do
      local took = t.timed(weft.sleep, s)
      t.truthy(took >= s, took)
    end
  end
end)

-- Once is enough: where another program has the processor a sleep may take longer.
t.test("a 100 us sleep is not rounded to 1 ms", function()
  local best = math.huge
  for _ = 1, 20000 do
    best = math.min(best, (t.timed(weft.sleep, 0.0001)))
    if best < 0.0009 then break end
  end
  t.between(best, 0.0001, 0.0009)
end)

-- f(base, log) spawns what sleeps until `base` and later, and logs. Gives the log of a round in which all slept before
-- `base`: with twice the time, where this thread gets less.
local function slept_in_time(f)
  local lead = 0.01
  while true do
    local base, log, in_time = weft.now() + lead, {}, false
    weft.scope(function(s)
      f(base, log, s)
      t.settle(2)
      in_time = weft.now() < base
    end)
    if in_time then return log end
    lead = lead * 2
  end
end

t.test("sleepers wake in the order of their deadlines", function()
  local order = { 7, 3, 9, 1, 5, 8, 2, 10, 4, 6 }
  local gap, log, spread = 0.003
  repeat                                  -- each counts from its own start, so these must be closer than the ends
    log, gap = {}, gap * 2
    weft.scope(function(s)
      local start = weft.now()
      for _, i in ipairs(order) do
        s:spawn(function()
          weft.sleep(i * gap)
          log[#log + 1] = i
        end)
      end
      t.settle(2)
      spread = weft.now() - start
    end)
  until spread < gap
  t.same(log, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
end)

t.test("the same deadline: order of insertion", function()
  local log = slept_in_time(function(base, log, s)
    for i = 1, 50 do
      s:spawn(function()
        weft.sleep_until(base)
        log[#log + 1] = i
      end)
    end
  end)
  for i = 1, 50 do t.eq(log[i], i) end
end)

t.test("deadlines that are close together, far and near", function()
  local log = slept_in_time(function(base, log, s)
    for i = 1, 200 do
      local at = base + ((i * 7919) % 200) * 0.0001
      s:spawn(function()
        weft.sleep_until(at)
        if weft.now() < at then t.fail("early") end
        log[#log + 1] = at
      end)
    end
  end)
  for i = 2, 200 do if log[i] < log[i - 1] then t.fail("out of order at " .. i) end end
end)

t.test("a hundred thousand sleepers", { memory = 16384 }, function()
  local n = t.scale(100000, 1000)
  local woken, early = 0, 0
  weft.scope(function(s)
    for i = 1, n do
      s:spawn(function()
        local d = ((i * 7919) % 1000) * 0.0005
        local at = weft.now() + d
        weft.sleep(d)
        if weft.now() < at then early = early + 1 end
        woken = woken + 1
      end)
    end
  end)
  t.eq(woken, n)
  t.eq(early, 0)
end)

t.test("sleep(0) lets the others run", function()
  local ran = 0
  for _ = 1, 3 do weft.spawn(function() ran = ran + 1 end) end
  weft.sleep(0)
  weft.sleep(0)
  t.eq(ran, 3)
end)

t.test("negative is zero", function()
  weft.sleep(-3600)                       -- not as long as an hour
  weft.sleep(-math.huge)
  weft.sleep_until(weft.now() - 3600)
  weft.sleep_op(-3600):perform()
  for _, s in ipairs { -1, -3600, -math.huge } do t.eq(weft.sleep_op(s):try(), true) end
end)

t.test("nan is refused", function()
  local nan = 0 / 0
  t.misuse("bad argument #1 to '.-sleep'", function() weft.sleep(nan) end)
  t.misuse("bad argument #1 to '.-sleep_op'", function() weft.sleep_op(nan) end)
  t.misuse("bad argument #1 to '.-sleep_until'", function() weft.sleep_until(nan) end)
end)

t.test("math.huge is for ever", function()
  local f = weft.spawn(function() weft.sleep(math.huge) end)
  local g = weft.spawn(function() weft.sleep(1e300) end)
  local h = weft.spawn(function() weft.sleep_until(math.huge) end)
  weft.sleep(0.01)
  for _, fiber in ipairs { f, g, h } do
    t.eq(fiber:status(), "parked")
    fiber:cancel()
  end
  t.eq(weft.choose(weft.sleep_op(math.huge), weft.sleep_op(0.001):wrap(function() return "short" end)):perform(),
    "short")
end)

t.test("sleep wants a number", function()
  t.misuse("bad argument #1 to '.-sleep' %(number expected, got no value%)", function() weft.sleep() end)
  t.misuse("bad argument #1 to '.-sleep' %(number expected, got nil%)", function() weft.sleep(nil) end)
  t.misuse("bad argument #1 to '.-sleep' %(number expected, got table%)", function() weft.sleep({}) end)
  t.misuse("bad argument #1 to '.-sleep_op' %(number expected, got boolean%)", function() weft.sleep_op(true) end)
  t.misuse("bad argument #1 to '.-sleep_until' %(number expected, got no value%)", function()
    weft.sleep_until()
  end)
end)

t.test("sleep gives nothing", function()
  t.returns(t.pack(), weft.sleep(0.0001))
  t.returns(t.pack(), weft.sleep_op(0.0001):perform())
  t.returns(t.pack(), weft.sleep_until(weft.now() + 0.0001))
end)

t.test("sleep_until", function()
  local at = weft.now() + 0.02
  weft.sleep(0.005)
  weft.sleep_until(at)
  t.truthy(weft.now() >= at)
end)

t.test("sleep_until_op", function()
  local at = weft.now() + 0.005
  local op = weft.sleep_until_op(at)
  op:perform()
  t.truthy(weft.now() >= at)
  t.eq(op:try(), true)
end)

t.test("a sleep of zero is an arm that is ready", function()
  t.eq(weft.choose(weft.sleep_op(0):wrap(function() return "now" end), weft.channel():get_op()):perform(), "now")
end)

t.test("timers that lost do not wake anybody", function()
  local ch = weft.channel(1)
  for i = 1, 100 do
    ch:put(i)
    t.eq(weft.choose(ch:get_op(), weft.sleep_op(0.002)):perform(), i)
  end
  t.truthy(t.timed(weft.sleep, 0.02) >= 0.02)
end)

t.test("timers in every level of the wheel can be cancelled", function()
  local in_time
  repeat
    local fibers, start = {}, weft.now()
    for i = 0, 40 do
      fibers[#fibers + 1] = weft.spawn(function() weft.sleep(0.01 * 2 ^ i) end)
    end
    t.settle(2)
    for _, f in ipairs(fibers) do f:cancel() end
    in_time = weft.now() - start < 0.01
    for _, f in ipairs(fibers) do
      local ok, e = t.pcall(f.join, f)
      if in_time then t.truthy(not ok and weft.is_cancelled(e)) end
    end
  until in_time
end)

t.test("a wait looks at the clock a few times, not all the time", function()
  local before = weft.inspect.counters().polls
  weft.sleep(0.2)
  t.between(weft.inspect.counters().polls - before, 1, 20)
end)
