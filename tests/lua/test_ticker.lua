-- SPDX-License-Identifier: MIT
-- weft.ticker and weft.limiter.

local t = require "harness"
local weft = require "weft"

t.test("a ticker ticks without drift", function()
  local start = weft.now()
  local ticker = weft.ticker(0.02)
  for i = 1, 3 do
    local time = ticker:next()
    t.truthy(time - start >= i * 0.02)
    t.truthy(weft.now() >= time)
  end
end)

-- In weft.test the clock stands still while a fiber can run, so that times are exact.
t.test("a ticker stays in step, whatever is done between the ticks", function()
  weft.test({}, function()
    local start = weft.now()
    local ticker = weft.ticker(0.02)
    for i = 1, 10 do
      t.between(ticker:next() - start, i * 0.02 - 1e-6, i * 0.02 + 1e-6)
      weft.sleep(i * 0.0015)
    end
  end)
end)

t.test("missed ticks coalesce, and the rest stay in step", function()
  weft.test({}, function()
    local start = weft.now()
    local ticker = weft.ticker(0.01)
    weft.sleep(0.035)
    t.between(ticker:next() - start, 0.035 - 1e-6, 0.035 + 1e-6)
    t.between(ticker:next() - start, 0.04 - 1e-6, 0.04 + 1e-6)
  end)
end)

t.test("all who wait get the tick", function()
  local ticker, n = weft.ticker(0.01), 0
  weft.scope(function(s)
    for _ = 1, 3 do
      s:spawn(function()
        ticker:next()
        n = n + 1
      end)
    end
    s:spawn(function()
      weft.timeout(ticker:next_op(), 0.001):perform()
      ticker:next()
    end)
  end)
  t.eq(n, 3)
end)

t.test("stop ends the waits", function()
  local ticker = weft.ticker(60)
  local f = weft.spawn(function() return ticker:next() end)
  t.settle(2)
  ticker:stop()
  t.fails("closed", f:join())
  t.fails("closed", ticker:next())
  ticker:stop()
  t.match(tostring(ticker), "stopped")
end)

t.test("a ticker in a choice, cancelled", function()
  local ticker = weft.ticker(60)
  t.eq(ticker:next_op():try(), false)
  t.eq(weft.choose(ticker:next_op(), weft.always "other"):perform(), "other")
  local f = weft.spawn(function() ticker:next() end)
  t.settle(2)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  t.eq(weft.timeout(weft.ticker(math.huge):next_op(), 0.001):perform(), nil)
end)

t.test("misuse of a ticker", function()
  t.misuse("bad argument #1 to 'ticker' %(number expected, got no value%)", function() weft.ticker() end)
  t.misuse("NaN", function() weft.ticker(0 / 0) end)
  t.misuse("bad argument #1 to 'ticker'", function() weft.ticker(0) end)
end)

-- ---------------------------------------------------------------- limiter

t.test("a limiter: a burst, then the rate", function()
  local start = weft.now()
  local l = weft.limiter { rate = 100, burst = 3 }
  for _ = 1, 7 do t.eq(l:wait(), true) end
  t.truthy(weft.now() - start >= 0.04 - 1e-6)
  weft.test({}, function()
    local slow = weft.limiter { rate = 1, burst = 3 }
    t.eq(t.timed(function() for _ = 1, 3 do t.eq(slow:wait(), true) end end), 0)
    t.eq(slow:try(), false)
    t.between(t.timed(function() for _ = 1, 4 do slow:wait() end end), 4 - 1e-6, 4 + 1e-6)
  end)
end)

t.test("a limiter fills up to its burst", function()
  weft.test({}, function()
    local l = weft.limiter { rate = 1000, burst = 2 }
    t.eq(l:try(2), true)
    t.eq(l:try(), false)
    weft.sleep(0.02)
    t.eq(l:try(2), true)
    t.eq(l:try(), false)
  end)
end)

t.test("requests are first in, first out, whatever their size", function()
  local l, order = weft.limiter { rate = 200, burst = 4 }, {}
  l:wait(4)
  weft.scope(function(s)
    for i, k in ipairs { 4, 1, 2 } do
      s:spawn(function()
        l:wait(k)
        order[#order + 1] = i
      end)
    end
  end)
  t.same(order, { 1, 2, 3 })
  weft.test({}, function()
    local slow = weft.limiter { rate = 1, burst = 4 }
    slow:wait(3)
    local f = weft.spawn(function() slow:wait(4) end)
    weft.sleep(0.5)
    t.eq(slow:try(), false, "there is one, but another waits")
    f:join()
  end)
end)

t.test("who leaves hands its turn on", function()
  local start = weft.now()
  local l = weft.limiter { rate = 20, burst = 72000 }
  l:wait(72000)
  local big = weft.spawn(function() l:wait(72000) end)  -- an hour
  local small = weft.spawn(function()
    l:wait()
    return weft.now()
  end)
  t.settle(3)
  big:cancel()
  t.truthy(small:join() - start >= 0.05 - 1e-6)
end)

t.test("a lost choice takes no token", function()
  weft.test({}, function()
    local start = weft.now()
    local l = weft.limiter { rate = 50 }
    l:wait()
    for _ = 1, 5 do t.eq(weft.choose(l:wait_op(), weft.sleep_op(0)):perform(), nil) end
    t.eq(weft.timeout(l:wait_op(), 0.001):perform(), nil)
    l:wait()
    t.between(weft.now() - start, 0.02 - 1e-6, 0.02 + 1e-6)
    t.match(tostring(l), "0 waiting")
  end)
end)

t.test("waiters of several scopes: the one that ends takes nothing with it", function()
  local l = weft.limiter { rate = 100 }
  l:wait()
  local f = weft.spawn(function()
    l:wait()
    l:wait()
    return "served"
  end)
  weft.scope(function(s)
    s:spawn(function() l:wait() end)
    t.settle(3)
    s:cancel()
  end)
  t.eq(f:join(), "served")
end)

t.outside("a limiter lives longer than a run", function()
  local l = weft.limiter { rate = 100 }
  for _ = 1, 3 do
    weft.run(function()
      l:wait()
      weft.daemon(function() while true do l:wait() end end)
      weft.yield()
      weft.yield()
    end)
  end
end)

t.test("no limit", function()
  local l = weft.limiter { rate = math.huge }
  for _ = 1, 100 do l:wait() end
end)

t.test("misuse of a limiter", function()
  t.misuse("bad argument #1 to 'limiter' %(table expected, got no value%)", function() weft.limiter() end)
  t.misuse("bad option 'rate' of limiter %(number expected, got no value%)", function() weft.limiter {} end)
  t.misuse("bad option 'rate' of limiter", function() weft.limiter { rate = 0 } end)
  t.misuse("NaN", function() weft.limiter { rate = 0 / 0 } end)
  t.misuse("bad option 'burst' of limiter", function() weft.limiter { rate = 1, burst = 0.5 } end)
  t.misuse("unknown option 'per' of limiter", function() weft.limiter { rate = 1, per = 2 } end)
  local l = weft.limiter { rate = 1, burst = 2 }
  t.misuse("bad argument #1 to 'wait' %(3 tokens, but a burst of 2%)", function() l:wait(3) end)
  t.misuse("bad argument #1 to 'try'", function() l:try(0) end)
end)
