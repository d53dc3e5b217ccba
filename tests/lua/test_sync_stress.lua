-- SPDX-License-Identifier: MIT
-- Many fibers do random things with all primitives at once, and are cancelled at random. At the end everything
-- is free again, and nobody is left in a queue. The schedule follows from the seed but for the timers.

local t = require "harness"
local weft = require "weft"

local random = math.random

local function nothing() end

-- A yield between enter and leave, however it ends.
local function between(enter, leave)
  enter()
  local ok, e = t.pcall(weft.yield)
  leave()
  if not ok then error(e, 0) end
end

local function actions(p)
  local inside, writers, readers = 0, 0, 0
  local m, rw, s, b, c, l = p.mutex, p.rwmutex, p.semaphore, p.barrier, p.cond, p.limiter
  local function enter_mutex()
    inside = inside + 1
    t.eq(inside, 1)
  end
  local function leave_mutex() inside = inside - 1 end
  local function enter_write()
    writers = writers + 1
    t.eq(writers + readers, 1)
  end
  local function leave_write() writers = writers - 1 end
  local function enter_read()
    readers = readers + 1
    t.eq(writers, 0)
  end
  local function leave_read() readers = readers - 1 end
  return {
    function() m:with(between, enter_mutex, leave_mutex) end,
    function() rw:with(between, enter_write, leave_write) end,
    function() rw:rwith(between, enter_read, leave_read) end,
    function()
      local k = random(5)
      s:acquire(k)
      between(nothing, function() s:release(k) end)
    end,
    function() weft.timeout(b:wait_op(), 0.0001):perform() end,
    function()
      m:with(function()
        weft.timeout(c:wait_op(), 0.0001):perform()
        between(enter_mutex, leave_mutex)
      end)
    end,
    function() c:signal() weft.yield() end,
    function() c:broadcast() weft.yield() end,
    function() l:wait(random(3)) end,
    function() p.ticker:next() end,
    function()
      local name, guard = weft.select {
        mutex = m:lock_op(), write = rw:lock_op(), read = rw:rlock_op(), permit = s:acquire_op(),
        barrier = b:wait_op(), token = l:wait_op(), late = weft.sleep_op(0.0001),
      }
      if name == "permit" then s:release() end
      if name == "mutex" or name == "write" or name == "read" then guard:unlock() end
    end,
  }
end

local function run(seed)
  math.randomseed(seed)
  local p = {
    mutex = weft.mutex(), rwmutex = weft.rwmutex(), semaphore = weft.semaphore(5), barrier = weft.barrier(3),
    limiter = weft.limiter { rate = 1e5, burst = 3 }, ticker = weft.ticker(0.0005),
  }
  p.cond = weft.cond(p.mutex)
  local list, fibers, n = actions(p), {}, 50
  for i = 1, n do
    fibers[i] = weft.spawn(function()
      for _ = 1, 20 do list[random(#list)]() end
    end)
  end
  for _ = 1, n / 2 do
    fibers[random(n)]:cancel()
    t.settle(random(20))
  end
  for i = 1, n do
    local ok, e = t.pcall(fibers[i].join, fibers[i])
    if not ok and not weft.is_cancelled(e) then error(e, 0) end
  end
  t.eq(tostring(p.mutex), "weft.mutex: free")
  t.eq(tostring(p.rwmutex), "weft.rwmutex: free")
  t.eq(tostring(p.semaphore), "weft.semaphore: 5 free, 0 waiting")
  t.match(tostring(p.limiter), "0 waiting")
  t.match(tostring(p.barrier), "0 of 3")
  t.match(tostring(p.cond), "0 waiting")
end

t.test("random use and cancels leave everything free", { memory = 1024 }, function()
  for seed = 1, t.scale(40, 2) do
    local ok, e = t.pcall(run, seed)
    if not ok then error(("seed %d: %s"):format(seed, tostring(e)), 0) end
  end
end)
