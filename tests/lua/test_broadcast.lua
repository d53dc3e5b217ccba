-- SPDX-License-Identifier: MIT
-- weft.broadcast and weft.watch; what they share with others is in test_primitives.lua.

local t = require "harness"
local weft = require "weft"

t.test("every reader gets every message", function()
  local b, got = weft.broadcast(8), {}
  weft.scope(function(s)
    for i = 1, 3 do
      local r = b:subscribe()
      got[i] = {}
      s:spawn(function()
        while true do
          local v, why = r:get()
          if why then return t.eq(why, "closed") end
          table.insert(got[i], v)
        end
      end)
    end
    for i = 1, 20 do
      b:send(i)
      if i % 5 == 0 then weft.yield() end
    end
    b:close()
  end)
  for i = 1, 3 do
    t.eq(#got[i], 20)
    for j = 1, 20 do t.eq(got[i][j], j) end
  end
end)

t.test("a reader gets what is sent after it has subscribed", function()
  local b = weft.broadcast(4)
  b:send "before"
  local r = b:subscribe()
  t.eq(r:get_op():try(), false)
  b:send "after"
  t.returns(t.pack "after", r:get())
end)

t.test("a slow reader is told how many it has lost", function()
  local b = weft.broadcast(3)
  local r = b:subscribe()
  for i = 1, 10 do b:send(i) end
  t.returns(t.pack(nil, "lagged", 7), r:get())
  for i = 8, 10 do t.returns(t.pack(i), r:get()) end
  t.returns(t.pack(false), r:try_get())
  t.eq(tostring(r), "weft.reader: 0 behind")
end)

t.test("close: what is kept, then the end", function()
  local b = weft.broadcast(2)
  local r = b:subscribe()
  b:send(1)
  b:close()
  t.eq(b:closed(), true)
  t.eq(r:get(), 1)
  t.fails("closed", r:get())
  t.fails("closed", r:get_op():perform())
  t.fails("closed", b:subscribe():get())
  t.misuse("closed", function() b:send(2) end)
  t.misuse("closed", function() b:close() end)
end)

t.test("close wakes those who wait", function()
  local b = weft.broadcast(2)
  local r = b:subscribe()
  local f = weft.spawn(function() return r:get() end)
  t.settle(2)
  b:close()
  t.fails("closed", f:join())
end)

t.test("nil is a message", function()
  local b = weft.broadcast(2)
  local r = b:subscribe()
  b:send(nil)
  t.returns(t.pack(nil), r:get())
  local f = weft.spawn(function() return r:get() end)
  t.settle(2)
  b:send(nil)
  t.returns(t.pack(nil), f:join())
end)

t.test("two fibers at one reader share its messages", function()
  local b, got = weft.broadcast(4), {}
  local r = b:subscribe()
  for _ = 1, 2 do weft.spawn(function() table.insert(got, (r:get())) end) end
  t.settle(2)
  b:send(1)
  t.settle(2)
  t.same(got, { 1 })
  b:send(2)
  t.settle(2)
  t.same(got, { 1, 2 })
end)

t.test("a lost choice loses no message", function()
  local b = weft.broadcast(4)
  local r = b:subscribe()
  local other = weft.channel()
  local f = weft.spawn(function() weft.choose(r:get_op(), other:get_op()):perform() end)
  t.settle(2)
  other:put(1)
  b:send "kept"
  f:join()
  t.eq(r:get(), "kept")
end)

t.test("iter: until the end; nil and a lag raise", function()
  local b = weft.broadcast(2)
  local r = b:subscribe()
  local step, state = r:iter()
  b:send(1)
  t.eq(step(state), 1)
  b:send(nil)
  t.misuse("nil message", function() step(state) end)
  for i = 1, 5 do b:send(i) end
  t.misuse("lost 3 messages", function() step(state) end)
  t.eq(step(state), 4)
  t.eq(step(state), 5)
  b:close()
  t.eq(step(state), nil)
end)

t.test("misuse of a broadcast", function()
  t.misuse("bad argument #1 to 'broadcast' %(number expected, got no value%)", function() weft.broadcast() end)
  t.misuse("bad argument #1 to 'broadcast'", function() weft.broadcast(0) end)
end)

t.test("many readers, many messages", function()
  local b, n, m, sum = weft.broadcast(16), t.scale(200, 10), t.scale(200, 20), 0
  weft.scope(function(s)
    for _ = 1, n do
      local r = b:subscribe()
      s:spawn(function()
        for _ = 1, m do
          local v = r:get()
          sum = sum + v
        end
      end)
    end
    weft.yield()
    for i = 1, m do
      b:send(i)
      weft.yield()
    end
  end)
  t.eq(sum, n * m * (m + 1) / 2)
end)

-- ---------------------------------------------------------------- watch

t.test("a watch has the latest value", function()
  local w = weft.watch "a"
  t.eq(w:get(), "a")
  w:set "b"
  w:set "c"
  t.eq(w:get(), "c")
end)

t.test("changed of a watch waits for the next set", function()
  local w = weft.watch(1)
  w:set(2)
  t.eq(w:changed_op():try(), false)
  local f = weft.spawn(function() return w:changed() end)
  t.settle(2)
  w:set(3)
  w:set(4)
  t.eq(f:join(), 3)
end)

t.test("a reader sees each change once, the last one always", function()
  local w = weft.watch(0)
  local r, late = w:subscribe(), w:subscribe()
  t.eq(r:changed_op():try(), false)
  w:set(1)
  w:set(2)
  t.eq(r:changed(), 2)
  t.eq(r:changed_op():try(), false)
  t.eq(late:get(), 2)
  t.eq(late:changed_op():try(), false, "get has seen it")
  local f = weft.spawn(function() return r:changed(), r:changed() end)
  t.settle(2)
  w:set(3)
  t.settle(2)
  w:set(nil)
  t.returns(t.pack(3, nil), f:join())
end)

t.test("a reader that lost a choice has not seen the change", function()
  local w = weft.watch(0)
  local r = w:subscribe()
  local other = weft.channel()
  local f = weft.spawn(function() weft.choose(r:changed_op(), other:get_op()):perform() end)
  t.settle(2)
  other:put(1)
  w:set "seen later"
  f:join()
  t.eq(r:changed(), "seen later")
end)
