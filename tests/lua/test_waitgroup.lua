-- SPDX-License-Identifier: MIT
-- weft.waitgroup, weft.latch and weft.barrier; what they share with others is in test_primitives.lua.

local t = require "harness"
local weft = require "weft"

t.test("a waitgroup waits for all, and is reusable", function()
  local wg = weft.waitgroup()
  t.eq(wg:wait(), true, "nothing to do")
  for _ = 1, 3 do
    local n = 0
    wg:add(5)
    for _ = 1, 5 do
      weft.spawn(function()
        weft.yield()
        n = n + 1
        wg:done()
      end)
    end
    t.eq(wg:wait(), true)
    t.eq(n, 5)
  end
  t.eq(wg:wait_op():try(), true)
end)

t.test("add counts by one, and down", function()
  local wg = weft.waitgroup()
  wg:add()
  wg:add(3)
  wg:add(-2)
  t.match(tostring(wg), "2 to do")
  t.eq(wg:wait_op():try(), false)
  wg:add(-2)
  t.eq(wg:wait(), true)
end)

t.test("waiters of one round are not held by the next", function()
  local wg = weft.waitgroup()
  wg:add(1)
  local f = weft.spawn(function() wg:wait() end)
  t.settle(2)
  wg:done()
  wg:add(1)
  f:join()
  wg:done()
end)

t.test("misuse of a waitgroup", function()
  local wg = weft.waitgroup()
  t.misuse("negative", function() wg:done() end)
  wg:add(2)
  t.misuse("negative", function() wg:add(-3) end)
  t.misuse("bad argument #1 to 'add' %(number expected, got string%)", function() wg:add "x" end)
  t.match(tostring(wg), "2 to do", "unchanged")
end)

t.test("a waitgroup from outside the waiting fibers: many", function()
  local wg, n, woken = weft.waitgroup(), t.scale(2000, 50), 0
  wg:add(1)
  for _ = 1, n do
    weft.spawn(function()
      wg:wait()
      woken = woken + 1
    end)
  end
  t.settle(2)
  wg:done()
  t.settle(2)
  t.eq(woken, n)
end)

-- ---------------------------------------------------------------- latch

t.test("a latch opens at zero and stays open", function()
  local l, order = weft.latch(3), {}
  weft.spawn(function()
    t.eq(l:wait(), true)
    order[#order + 1] = "open"
  end)
  t.settle(2)
  l:count_down()
  t.settle(2)
  order[#order + 1] = "down to 2"
  l:count_down(2)
  t.settle(2)
  t.same(order, { "down to 2", "open" })
  t.eq(l:wait(), true)
  t.eq(weft.latch(0):wait(), true)
end)

t.test("misuse of a latch", function()
  t.misuse("bad argument #1 to 'latch' %(number expected, got no value%)", function() weft.latch() end)
  t.misuse("bad argument #1 to 'latch'", function() weft.latch(-1) end)
  local l = weft.latch(1)
  t.misuse("negative", function() l:count_down(2) end)
  t.misuse("bad argument #1 to 'count_down'", function() l:count_down(0) end)
  l:count_down()
  t.misuse("negative", function() l:count_down() end)
end)

-- ---------------------------------------------------------------- barrier

t.test("a barrier lets n go, each with its place", function()
  local b = weft.barrier(3)
  for _ = 1, 4 do                         -- reusable
    local places = {}
    for i = 1, 3 do
      weft.spawn(function() places[i] = b:wait() end)
      t.settle(2)
      if i < 3 then t.same(places, {}) end
    end
    t.same(places, { 1, 2, 3 })
  end
  t.eq(weft.barrier(1):wait(), 1)
end)

t.test("rounds do not mix", function()
  local b, n, rounds = weft.barrier(4), 4, t.scale(200, 10)
  local at, ahead = {}, 0
  weft.scope(function(s)
    for i = 1, n do
      at[i] = 0
      s:spawn(function()
        for round = 1, rounds do
          at[i] = round
          b:wait()
          for j = 1, n do ahead = math.max(ahead, math.abs(at[j] - round)) end
          if math.random(2) == 1 then weft.yield() end
        end
      end)
    end
  end)
  t.between(ahead, 0, 1)
end)

t.test("a fiber that is cancelled leaves the barrier", function()
  local b, places = weft.barrier(3), {}
  local fibers = {}
  for i = 1, 2 do fibers[i] = weft.spawn(function() places[i] = b:wait() end) end
  t.settle(2)
  fibers[1]:cancel()                      -- and has not run yet
  local third = weft.spawn(function() places[3] = b:wait() end)
  t.settle(3)
  t.same(places, {}, "two are there")
  places[4] = b:wait()
  fibers[2]:join()
  third:join()
  t.same(places, { nil, 1, 2, 3 })
end)

t.test("a choice that goes another way leaves the barrier", function()
  local b = weft.barrier(2)
  t.eq(weft.timeout(b:wait_op(), 0.001):perform(), nil)
  local f = weft.spawn(function() return b:wait() end)
  t.settle(2)
  t.eq(f:status(), "parked")
  t.returns(t.pack(true, 2), b:wait_op():try())
  t.eq(f:join(), 1)
end)

t.test("a fiber counts once, with several arms too", function()
  local b = weft.barrier(3)
  local f = weft.spawn(function() weft.choose(b:wait_op(), b:wait_op()):perform() end)
  t.settle(2)
  t.eq(b:wait_op():try(), false)
  local g = weft.spawn(function() b:wait() end)
  t.settle(2)
  b:wait()
  f:join()
  g:join()
end)

t.test("misuse of a barrier", function()
  t.misuse("bad argument #1 to 'barrier' %(number expected, got no value%)", function() weft.barrier() end)
  t.misuse("bad argument #1 to 'barrier'", function() weft.barrier(0) end)
end)
