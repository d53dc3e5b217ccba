-- SPDX-License-Identifier: MIT
-- weft.cond; what it shares with the others is in test_primitives.lua.

local t = require "harness"
local weft = require "weft"

local function holds(m)
  return not m:try_lock() and pcall(m.unlock, m) and (m:lock() or true) and true
end

t.test("wait gives the mutex back, and has it again", function()
  local m = weft.mutex()
  local c, ready, got = weft.cond(m), false, nil
  local f = weft.spawn(function()
    m:lock()
    while not ready do t.eq(c:wait(), true) end
    got = holds(m)
    m:unlock()
  end)
  t.settle(2)
  m:lock()                                -- it is free while the other waits
  ready = true
  c:signal()
  t.settle(2)
  t.eq(got, nil, "it waits for the mutex")
  m:unlock()
  f:join()
  t.eq(got, true)
end)

t.test("the guard of before the wait still unlocks", function()
  local m = weft.mutex()
  local c = weft.cond(m)
  local f = weft.spawn(function()
    local g = m:lock()
    c:wait()
    g:unlock()
  end)
  t.settle(2)
  c:signal()
  f:join()
  t.truthy(m:try_lock())
end)

t.test("that guard does not unlock what another holds meanwhile", function()
  for _, new in ipairs { weft.mutex, weft.rwmutex } do
    local m = new()
    local c, g = weft.cond(m), nil
    local f = weft.spawn(function()
      g = m:lock()
      c:wait()
      m:unlock()
    end)
    t.settle(2)
    m:lock()
    g:unlock()
    t.eq(m:try_lock(), false)
    c:signal()
    m:unlock()
    f:join()
    t.truthy(m:try_lock())
  end
end)

t.test("signal wakes one, in order; broadcast all", function()
  local m = weft.mutex()
  local c, order = weft.cond(m), {}
  for i = 1, 5 do
    weft.spawn(function()
      m:lock()
      c:wait()
      order[#order + 1] = i
      m:unlock()
    end)
  end
  t.settle(2)
  c:signal()
  t.settle(3)
  t.same(order, { 1 })
  c:signal()
  t.settle(3)
  t.same(order, { 1, 2 })
  c:broadcast()
  t.settle(10)
  t.same(order, { 1, 2, 3, 4, 5 })
  c:signal()                              -- nobody: it is gone
  c:broadcast()
end)

t.test("cancelled, it takes the mutex back before it raises", function()
  local m = weft.mutex()
  local c, held = weft.cond(m), nil
  local f = weft.spawn(function()
    m:lock()
    local ok, e = t.pcall(c.wait, c)
    held = not m:try_lock()
    m:unlock()                            -- a misuse if it were not held
    if not ok then error(e, 0) end
  end)
  t.settle(2)
  m:lock()
  f:cancel()
  t.settle(5)
  t.eq(held, nil, "it waits for the mutex although it is cancelled")
  m:unlock()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  t.eq(held, true)
  t.truthy(m:try_lock())
end)

t.test("lost in a choice, it takes the mutex back first", function()
  local m = weft.mutex()
  local c, n = weft.cond(m), 0
  local other = weft.channel()
  local f = weft.spawn(function()
    m:lock()
    t.eq(weft.choose(c:wait_op(), other:get_op()):perform(), "other")
    n = n + 1
    m:unlock()
  end)
  t.settle(2)
  m:lock()
  other:put "other"
  t.settle(3)
  t.eq(n, 0)
  m:unlock()
  f:join()
  t.truthy(m:try_lock())
end)

t.test("a choice that is over at once never gave the mutex back", function()
  local m = weft.mutex()
  local c = weft.cond(m)
  local g = m:lock()
  t.eq(weft.choose(c:wait_op(), weft.always(1)):perform(), 1)
  t.eq(c:wait_op():try(), false)
  t.eq(m:try_lock(), false)
  g:unlock()
  t.truthy(m:try_lock())
end)

t.test("with a time-out: true, or nil and why", function()
  local m = weft.mutex()
  local c = weft.cond(m)
  m:lock()
  t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(c:wait_op(), 0.001):perform())
  weft.spawn(function() c:signal() end)
  t.eq(weft.timeout(c:wait_op(), 3600):perform(), true)
  m:unlock()
end)

t.test("two conds of one mutex in a choice", function()
  local m = weft.mutex()
  local a, b = weft.cond(m), weft.cond(m)
  local f = weft.spawn(function()
    m:lock()
    local name = weft.select { a = a:wait_op(), b = b:wait_op() }
    m:unlock()
    return name
  end)
  t.settle(3)
  b:signal()
  t.eq(f:join(), "b")
  t.eq(tostring(a), "weft.cond: 0 waiting")
end)

t.test("a signal that reaches nobody alive goes to the next", function()
  local m = weft.mutex()
  local c, woken = weft.cond(m), {}
  local fibers = {}
  for i = 1, 2 do
    fibers[i] = weft.spawn(function()
      m:lock()
      local ok = t.pcall(c.wait, c)
      m:unlock()
      woken[i] = ok
    end)
  end
  t.settle(2)
  fibers[1]:cancel()
  c:signal()
  t.settle(5)
  t.same(woken, { false, true })
end)

t.test("a cond of a rwmutex", function()
  local m = weft.rwmutex()
  local c = weft.cond(m)
  local f = weft.spawn(function()
    m:with(function() c:wait() end)
  end)
  t.settle(2)
  m:lock()
  c:signal()
  m:unlock()
  f:join()
  t.truthy(m:try_lock())
end)

t.test("misuse of a cond", function()
  t.misuse("bad argument #1 to 'cond' %(mutex expected, got no value%)", function() weft.cond() end)
  t.misuse("mutex expected, got table", function() weft.cond {} end)
  local m = weft.mutex()
  local c = weft.cond(m)
  t.misuse("not locked", function() c:wait() end)
  if not t.puc51 then t.misuse("not locked", function() c:wait_op():perform() end) end
  t.raises("not locked", function() c:wait_op():perform() end)
  m:lock()
  weft.spawn(function() t.misuse("does not hold", function() c:wait() end) end):join()
  m:unlock()
end)

t.test("producers and consumers over a bounded queue", function()
  local m = weft.mutex()
  local not_full, not_empty = weft.cond(m), weft.cond(m)
  local queue, n, sum = {}, t.scale(3000, 60), 0
  weft.scope(function(s)
    for p = 1, 3 do
      s:spawn(function()
        for i = p, n, 3 do
          m:lock()
          while #queue >= 4 do not_full:wait() end
          table.insert(queue, i)
          not_empty:signal()
          m:unlock()
        end
      end)
    end
    for p = 1, 3 do
      s:spawn(function()
        for _ = p, n, 3 do
          m:lock()
          while #queue == 0 do not_empty:wait() end
          sum = sum + table.remove(queue, 1)
          not_full:signal()
          m:unlock()
        end
      end)
    end
  end)
  t.eq(sum, n * (n + 1) / 2)
end)
