-- SPDX-License-Identifier: MIT
-- What holds for every primitive that is waited for: cancel while parked, cancel racing completion, lost and
-- won choices, FIFO, try, misuse, and no memory left behind by waits that were given up.

local t = require "harness"
local weft = require "weft"

-- Each kind: make() -> wait(), op(), release(), waiting().
--   wait() waits until release(); release() serves one waiter (or all), and is kept if there is none unless
--   `momentary`. waiting(): how many its tostring counts.
local kinds = {}

local function count_in(object)
  return function() return tonumber(tostring(object):match "(%d+) waiting") end
end

function kinds.mutex()
  local m = weft.mutex()
  local g = m:lock()
  return {
    wait = function() m:lock():unlock() end, op = function() return m:lock_op():wrap(function(x) x:unlock() end) end,
    release = function() g:unlock() end, waiting = count_in(m), again = function() g = m:lock() end,
  }
end

function kinds.rwmutex_write()
  local m = weft.rwmutex()
  local g = m:rlock()
  return {
    wait = function() m:lock():unlock() end, op = function() return m:lock_op():wrap(function(x) x:unlock() end) end,
    release = function() g:unlock() end, waiting = count_in(m), again = function() g = m:rlock() end,
  }
end

function kinds.rwmutex_read()
  local m = weft.rwmutex()
  local g = m:lock()
  return {
    wait = function() m:rlock():unlock() end, op = function() return m:rlock_op():wrap(function(x) x:unlock() end) end,
    release = function() g:unlock() end, waiting = count_in(m), again = function() g = m:lock() end, all = true,
  }
end

function kinds.semaphore()
  local s = weft.semaphore(0)
  return {
    wait = function() s:acquire() end, op = function() return s:acquire_op() end,
    release = function() s:release() end, waiting = count_in(s),
  }
end

function kinds.semaphore_weighted()
  local s = weft.semaphore(0)
  return {
    wait = function() s:acquire(3) end, op = function() return s:acquire_op(3) end,
    release = function() s:release(3) end, waiting = count_in(s),
  }
end

function kinds.cond()
  local m = weft.mutex()
  local c = weft.cond(m)
  return {
    wait = function()
      m:lock()
      local ok, e = t.pcall(c.wait, c)
      m:unlock()                          -- a misuse if the wait did not take it back
      if not ok then error(e, 0) end
    end,
    perform = function(choice, ...)
      m:lock()
      local op = choice(c:wait_op(), ...)
      local r = t.pack(t.pcall(op.perform, op))
      m:unlock()
      if not r[1] then error(r[2], 0) end
      return r[2]
    end,
    release = function() c:signal() end, waiting = count_in(c), momentary = true,
  }
end

function kinds.waitgroup()
  local wg = weft.waitgroup()
  wg:add(1)
  return {
    wait = function() wg:wait() end, op = function() return wg:wait_op() end,
    release = function() wg:done() end, waiting = count_in(wg), all = true,
    again = function() wg:add(1) end,
  }
end

function kinds.latch()
  local l = weft.latch(1)
  return {
    wait = function() l:wait() end, op = function() return l:wait_op() end,
    release = function() l:count_down() end, waiting = count_in(l), all = true, once = true,
  }
end

function kinds.oneshot()
  local o = weft.oneshot()
  return {
    wait = function() o:get() end, op = function() return o:get_op() end,
    release = function() o:set("v") end, waiting = count_in(o), all = true, once = true,
  }
end

function kinds.broadcast()
  local b = weft.broadcast(4)
  local r = b:subscribe()
  return {
    wait = function() r:get() end, op = function() return r:get_op() end,
    release = function() b:send("v") end, waiting = count_in(b),
  }
end

function kinds.watch()
  local w = weft.watch(0)
  return {
    wait = function() w:changed() end, op = function() return w:changed_op() end,
    release = function() w:set(1) end, waiting = count_in(w), all = true, momentary = true,
  }
end

function kinds.watch_reader()
  local w = weft.watch(0)
  local r = w:subscribe()
  return {
    wait = function() r:changed() end, op = function() return r:changed_op() end,
    release = function() w:set(1) end, waiting = count_in(w), all = true,
  }
end

function kinds.barrier()
  local b = weft.barrier(2)
  return {
    wait = function() b:wait() end, op = function() return b:wait_op() end,
    release = function() weft.spawn(function() b:wait() end) t.settle(2) end,
    waiting = function() return tonumber(tostring(b):match "(%d+) of") end, momentary = true,
  }
end

function kinds.pool()
  local p = weft.pool { limit = 4 }
  local go = weft.channel(1)
  p:go(function() go:get() end)
  return {
    wait = function() p:wait() end, op = function() return p:wait_op() end,
    release = function() go:put(1) t.settle(3) end,
    waiting = function() return nil end, once = true, cleanup = function() go:try_put(1) end,
  }
end

-- For each kind but those named in `but`.
local function each(name, f, but)
  for kind, make in pairs(kinds) do
    if not (but and but[kind]) then
      t.test(kind .. ": " .. name, function()
        local k = make()
        -- The wait in a choice with these operations.
        k.perform = k.perform or function(choice, ...) return choice(k.op(), ...):perform() end
        f(k)
        if k.cleanup then k.cleanup() end
      end)
    end
  end
end

local function expect_waiting(k, n)
  local got = k.waiting()
  if got ~= nil then t.eq(got, n, "waiting") end
end

local function parked(f)
  local fiber = weft.spawn(f)
  t.settle(3)
  t.eq(fiber:status(), "parked")
  return fiber
end

each("cancel while parked", function(k)
  local f = parked(k.wait)
  expect_waiting(k, 1)
  f:cancel("enough")
  local e = t.raises(nil, f.join, f)
  t.truthy(weft.is_cancelled(e), tostring(e))
  t.eq(e.reason, "enough")
  expect_waiting(k, 0)
  -- The permit was not lost with it.
  local again = parked(k.wait)
  k.release()
  again:join()
end)

each("a cancelled waiter takes no permit, even before it has run", function(k)
  local first, second = parked(k.wait), parked(k.wait)
  first:cancel()
  k.release()
  second:join()
  t.truthy(weft.is_cancelled(t.raises(nil, first.join, first)))
end, { barrier = true })

each("completion first, then cancel: it has happened", function(k)
  local after
  local f = parked(function()
    k.wait()
    after = true
    weft.sleep(3600)
  end)
  k.release()
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  t.eq(after, true)
end, { barrier = true, latch = true, oneshot = true, pool = true })

each("cancel is sticky: a cancelled fiber gets nothing", function(k)
  local got = {}
  local f = weft.spawn(function()
    t.pcall(weft.sleep, 3600)
    got[1] = t.pcall(k.wait)
    got[2] = t.pcall(k.wait)
  end)
  t.settle(2)
  if not (k.momentary or k.once) then k.release() end
  f:cancel()
  t.pcall(f.join, f)
  t.same(got, { false, false })
  expect_waiting(k, 0)
end)

each("a choice that it loses", function(k)
  for _ = 1, 3 do
    t.eq(k.perform(weft.choose, weft.always("other")), "other", "at once")
    t.eq(k.perform(weft.timeout, 0.001), nil, "later")
    expect_waiting(k, 0)
  end
  local f = parked(k.wait)
  k.release()
  f:join()
end)

each("a choice that it wins", function(k)
  local other = weft.channel()
  local f = parked(function() k.perform(weft.choose, other:get_op()) end)
  expect_waiting(k, 1)
  k.release()
  f:join()
  t.eq(other:try_put(1), false, "the other arm is gone")
end)

each("cancel in a choice", function(k)
  local other = weft.channel()
  local f = parked(function() k.perform(weft.choose, other:get_op(), weft.sleep_op(3600)) end)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  expect_waiting(k, 0)
  t.eq(other:try_put(1), false)
  local again = parked(k.wait)
  k.release()
  again:join()
end)

each("first in, first out", function(k)
  local order, fibers = {}, {}
  for i = 1, 5 do
    fibers[i] = parked(function()
      k.wait()
      order[#order + 1] = i
    end)
  end
  for i = 1, 5 do
    if i == 1 or not k.all then k.release() end
    t.settle(3)
    if k.again and not k.all then break end -- each unlocks for the next
  end
  for i = 1, 5 do fibers[i]:join() end
  t.same(order, { 1, 2, 3, 4, 5 })
end, { barrier = true, pool = true })

each("given up ten thousand times, memory is flat", function(k)
  local function round(n)
    for _ = 1, n do k.perform(weft.choose, weft.sleep_op(0)) end
  end
  round(100)
  t.flat(function()
    round(t.scale(10000, 200))
    expect_waiting(k, 0)
  end, 64)
end)
