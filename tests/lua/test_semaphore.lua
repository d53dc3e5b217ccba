-- SPDX-License-Identifier: MIT
-- weft.semaphore; what it shares with the others is in test_primitives.lua.

local t = require "harness"
local weft = require "weft"

t.test("permits are counted", function()
  local s = weft.semaphore(2)
  t.eq(s:acquire(), true)
  t.eq(s:try_acquire(), true)
  t.eq(s:try_acquire(), false)
  s:release(2)
  t.eq(s:try_acquire(3), false)
  t.eq(s:try_acquire(2), true)
  s:release()
  t.eq(tostring(s), "weft.semaphore: 1 free, 0 waiting")
end)

t.test("release without acquire adds a permit", function()
  local s = weft.semaphore(0)
  s:release(3)
  t.eq(s:acquire(3), true)
end)

t.test("a big request at the head is not overtaken", function()
  local s, order = weft.semaphore(2), {}
  local function ask(k)
    weft.spawn(function()
      s:acquire(k)
      order[#order + 1] = k
    end)
    t.settle(2)
  end
  ask(5)
  ask(1)
  ask(2)
  t.eq(s:try_acquire(1), false, "there are two, but others wait")
  s:release(2)
  t.settle(2)
  t.same(order, {})
  s:release(1)
  t.settle(2)
  t.same(order, { 5 })
  s:release(3)
  t.settle(2)
  t.same(order, { 5, 1, 2 })
end)

t.test("a big request that gives up lets those behind it go", function()
  for _, how in ipairs { "cancel", "another arm" } do
    local s, order, other = weft.semaphore(2), {}, weft.channel()
    local big = weft.spawn(function()
      if how == "cancel" then s:acquire(5) else weft.choose(s:acquire_op(5), other:get_op()):perform() end
    end)
    t.settle(2)
    for i = 1, 2 do
      weft.spawn(function()
        s:acquire()
        order[#order + 1] = i
      end)
    end
    t.settle(2)
    t.same(order, {}, how)
    if how == "cancel" then big:cancel() else other:put(true) end
    t.settle(3)
    t.same(order, { 1, 2 }, how)
  end
end)

t.test("try after the head was cancelled but has not run", function()
  local s = weft.semaphore(1)
  local big = weft.spawn(function() s:acquire(2) end)
  t.settle(2)
  t.eq(s:try_acquire(), false)
  big:cancel()
  t.eq(s:try_acquire(), true)
end)

t.test("at most n inside", function()
  local s, inside, most = weft.semaphore(3), 0, 0
  weft.scope(function(scope)
    for _ = 1, 30 do
      scope:spawn(function()
        s:acquire()
        inside = inside + 1
        most = math.max(most, inside)
        weft.yield()
        inside = inside - 1
        s:release()
      end)
    end
  end)
  t.eq(most, 3)
end)

t.test("two arms of one choice take one permit", function()
  local s = weft.semaphore(0)
  local f = weft.spawn(function() weft.choose(s:acquire_op(), s:acquire_op()):perform() end)
  t.settle(2)
  s:release(2)
  f:join()
  t.eq(tostring(s), "weft.semaphore: 1 free, 0 waiting")
end)

t.test("misuse of a semaphore", function()
  t.misuse("bad argument #1 to 'semaphore' %(number expected, got no value%)", function() weft.semaphore() end)
  t.misuse("bad argument #1 to 'semaphore' %(number expected, got string%)", function() weft.semaphore "2" end)
  t.misuse("integer representation", function() weft.semaphore(1.5) end)
  t.misuse("integer representation", function() weft.semaphore(0 / 0) end)
  t.misuse("at least 0", function() weft.semaphore(-1) end)
  local s = weft.semaphore(1)
  t.misuse("bad argument #1 to 'acquire'", function() s:acquire(0) end)
  t.misuse("bad argument #1 to 'acquire_op'", function() s:acquire_op({}) end)
  t.misuse("bad argument #1 to 'try_acquire'", function() s:try_acquire(-1) end)
  t.misuse("bad argument #1 to 'release'", function() s:release(0.5) end)
end)

t.test("random sizes and cancels: no permit is lost", function()
  local s, n, fibers = weft.semaphore(7), t.scale(1000, 60), {}
  for i = 1, n do
    local k = math.random(7)
    fibers[i] = weft.spawn(function()
      s:acquire(k)
      local ok, e = t.pcall(weft.yield)
      s:release(k)
      if not ok then error(e, 0) end
    end)
  end
  for _ = 1, n do
    fibers[math.random(n)]:cancel()
    if math.random(4) == 1 then weft.yield() end
  end
  for i = 1, n do t.pcall(fibers[i].join, fibers[i]) end
  t.eq(tostring(s), "weft.semaphore: 7 free, 0 waiting")
end)
