-- SPDX-License-Identifier: MIT
-- weft.mutex and weft.rwmutex; what they share with the others is in test_primitives.lua.

local t = require "harness"
local weft = require "weft"

t.test("lock gives a guard, unlock in either way", function()
  local m = weft.mutex()
  local g = m:lock()
  t.eq(m:try_lock(), false)
  g:unlock()
  g:unlock()                              -- harmless
  local h = m:try_lock()
  t.truthy(h)
  m:unlock()
  h:unlock()                              -- harmless too
  t.eq(tostring(m), "weft.mutex: free")
end)

t.test("a guard that is over does not unlock a later lock", function()
  local m = weft.mutex()
  local old = m:lock()
  m:unlock()
  m:lock()
  old:unlock()
  t.eq(m:try_lock(), false)
  m:unlock()
end)

t.test("a guard is to be closed", function()
  if not t.has_close then t.skip "no to-be-closed variables" end
  local m = weft.mutex()
  local f = load [[
    local m, fail = ...
    local g <close> = m:lock()
    if fail then error("failed", 0) end
    return "value"
  ]]
  t.eq(f(m), "value")
  t.raises_value("failed", f, m, true)
  m:lock()
  m:unlock()
end)

t.test("a guard in a fiber that is cancelled is closed", function()
  if not t.has_close then t.skip "no to-be-closed variables" end
  local m = weft.mutex()
  local f = weft.spawn(load "local weft, m = ...; local g <close> = m:lock(); weft.sleep(3600)", weft, m)
  t.settle(2)
  f:cancel()
  m:lock()
  m:unlock()
end)

t.test("excludes", function()
  local m, inside, most = weft.mutex(), 0, 0
  weft.scope(function(s)
    for _ = 1, 20 do
      s:spawn(function()
        for _ = 1, 10 do
          m:lock()
          inside = inside + 1
          most = math.max(most, inside)
          weft.yield()
          inside = inside - 1
          m:unlock()
        end
      end)
    end
  end)
  t.eq(most, 1)
end)

t.test("unlock hands over: nobody barges in", function()
  local m, order = weft.mutex(), {}
  m:lock()
  local f = weft.spawn(function()
    m:lock()
    order[#order + 1] = "first"
    m:unlock()
  end)
  t.settle(2)
  m:unlock()
  t.eq(m:try_lock(), false, "it belongs to the waiter already")
  m:lock()
  order[#order + 1] = "second"
  m:unlock()
  f:join()
  t.same(order, { "first", "second" })
end)

t.test("with: results, error, cancellation", function()
  local m = weft.mutex()
  t.returns(t.pack(1, nil, 3, nil), m:with(function(...) return ... end, 1, nil, 3, nil))
  local value = {}
  t.raises_value(value, m.with, m, function() error(value) end)
  local f = weft.spawn(function() m:with(function() weft.sleep(3600) end) end)
  t.settle(2)
  t.eq(m:try_lock(), false)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  m:lock()
  m:unlock()
end)

t.test("with: the traceback is that of the error", function()
  local m = weft.mutex()
  local function the_culprit() error("failed here") end
  local f = weft.async(function() m:with(function() the_culprit() end) end)
  local e = t.raises("failed here", f.join, f)
  t.contains(weft.error_info(e).traceback, "the_culprit")
end)

t.test("with may unlock early", function()
  local m = weft.mutex()
  m:with(function()
    m:unlock()
    weft.spawn(function() m:lock() end)
    t.settle(2)
  end)
  t.eq(m:try_lock(), false)
end)

t.test("misuse of a mutex", function()
  local m = weft.mutex()
  t.misuse("not locked", function() m:unlock() end)
  m:lock()
  t.misuse("holds the mutex already", function() m:lock() end)
  local f = weft.spawn(function()
    t.misuse("does not hold", function() m:unlock() end)
  end)
  f:join()
  m:unlock()
  t.misuse("bad argument #1 to 'with' %(function expected, got no value%)", function() m:with() end)
  t.match(tostring(m), "^weft%.mutex: free$")
end)

t.outside("a mutex outside a fiber", function()
  local m = weft.mutex()
  t.raises("fiber", function() m:lock() end)
  t.misuse("fiber", function() m:try_lock() end)
end)

t.outside("two mutexes in opposite order: a deadlock", function()
  local e = t.raises("deadlock", weft.run, function()
    local a, b = weft.mutex(), weft.mutex()
    weft.spawn(function() a:lock() weft.yield() b:lock() end)
    weft.spawn(function() b:lock() weft.yield() a:lock() end)
  end)
  t.truthy(weft.is_deadlock(e))
end)

t.test("many fibers at one mutex", function()
  local m, n, sum = weft.mutex(), t.scale(2000, 50), 0
  weft.scope(function(s)
    for i = 1, n do
      s:spawn(function()
        local g = m:lock()
        local kept = sum
        if i % 3 == 0 then weft.yield() end
        sum = kept + 1
        g:unlock()
      end)
    end
  end)
  t.eq(sum, n)
end)

t.test("cancels at random: the mutex is never lost", function()
  local m, n, locked = weft.mutex(), t.scale(500, 40), 0
  local fibers = {}
  for i = 1, n do
    fibers[i] = weft.spawn(function()
      m:with(function()
        locked = locked + 1
        weft.yield()
      end)
    end)
  end
  for _ = 1, n do
    fibers[math.random(n)]:cancel()
    weft.yield()
  end
  for i = 1, n do t.pcall(fibers[i].join, fibers[i]) end
  t.truthy(m:try_lock())
end)

-- ---------------------------------------------------------------- rwmutex

t.test("rwmutex: readers together, a writer alone", function()
  local m = weft.rwmutex()
  local a, b = m:rlock(), weft.spawn(function() return m:rlock() end):join()
  t.eq(m:try_lock(), false)
  t.truthy(m:try_rlock())
  m:runlock()
  a:unlock()
  a:unlock()
  t.eq(m:try_lock(), false, "one reader is left")
  b:unlock()
  local w = m:try_lock()
  t.truthy(w)
  t.eq(m:try_rlock(), false)
  m:unlock()
  w:unlock()
  t.eq(tostring(m), "weft.rwmutex: free")
end)

t.test("rwmutex: a waiting writer holds new readers back, and they come before the next writer", function()
  local m, order = weft.rwmutex(), {}
  local first = m:rlock()
  local function note(what, lock)
    weft.spawn(function()
      local g = m[lock](m)
      order[#order + 1] = what
      weft.yield()
      g:unlock()
    end)
    t.settle(2)
  end
  note("writer 1", "lock")
  t.eq(m:try_rlock(), false)
  note("reader 1", "rlock")
  note("reader 2", "rlock")
  note("writer 2", "lock")
  note("reader 3", "rlock")
  first:unlock()
  t.settle(20)
  t.same(order, { "writer 1", "reader 1", "reader 2", "writer 2", "reader 3" })
end)

t.test("rwmutex: a writer that gives up lets the readers behind it in", function()
  local m, n = weft.rwmutex(), 0
  local first = m:rlock()
  local writer = weft.spawn(function() m:lock() end)
  t.settle(2)
  for _ = 1, 3 do
    weft.spawn(function()
      m:rlock()
      n = n + 1
      m:runlock()
    end)
  end
  t.settle(2)
  t.eq(n, 0)
  writer:cancel()
  t.settle(3)
  t.eq(n, 3)
  t.eq(weft.timeout(m:lock_op(), 0.001):perform(), nil)
  t.truthy(m:try_rlock())
  m:runlock()
  first:unlock()
end)

t.test("rwmutex: several read guards of one fiber, given back in any order", function()
  local m = weft.rwmutex()
  local a, b, c = m:rlock(), m:rlock(), m:rlock()
  b:unlock()
  m:runlock()                             -- c
  c:unlock()
  t.match(tostring(m), "1 reading")
  a:unlock()
  t.misuse("does not hold", function() m:runlock() end)
  t.truthy(m:try_lock())
end)

t.test("rwmutex: with and rwith", function()
  local m = weft.rwmutex()
  t.returns(t.pack(1, nil), m:with(function(...) return ... end, 1, nil))
  t.raises("failed", m.rwith, m, function()
    t.truthy(m:try_rlock())
    m:runlock()
    error "failed"
  end)
  t.truthy(m:try_lock())
end)

t.test("rwmutex: misuse", function()
  local m = weft.rwmutex()
  t.misuse("not locked", function() m:unlock() end)
  t.misuse("does not hold", function() m:runlock() end)
  m:rlock()
  t.misuse("already, for reading", function() m:lock() end)
  m:runlock()
  m:lock()
  t.misuse("already", function() m:rlock() end)
  t.misuse("already", function() m:lock() end)
  weft.spawn(function() t.misuse("does not hold", function() m:unlock() end) end):join()
end)

t.test("rwmutex: many readers and writers", function()
  local m, n = weft.rwmutex(), t.scale(500, 40)
  local readers, writers, writes = 0, 0, 0
  weft.scope(function(s)
    for i = 1, n do
      s:spawn(function()
        if i % 4 == 0 then
          local g = m:lock()
          writers = writers + 1
          t.eq(writers, 1)
          t.eq(readers, 0)
          weft.yield()
          writers, writes = writers - 1, writes + 1
          g:unlock()
        else
          m:rlock()
          readers = readers + 1
          t.eq(writers, 0)
          weft.yield()
          readers = readers - 1
          m:runlock()
        end
      end)
    end
  end)
  t.eq(writes, math.floor(n / 4))
end)
