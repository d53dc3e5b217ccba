-- SPDX-License-Identifier: MIT
-- Fibers: spawn, join, status, name, traceback, yield.

local t = require "harness"
local weft = require "weft"

t.test("a spawn is queued, never run at once", function()
  local ran = false
  local f = weft.spawn(function() ran = true end)
  t.eq(ran, false)
  t.eq(f:status(), "runnable")
  weft.yield()
  t.eq(ran, true)
  t.eq(f:status(), "done")
end)

t.test("fibers run first in, first out", function()
  local log = {}
  for i = 1, 5 do
    weft.spawn(function()
      log[#log + 1] = i
      weft.yield()
      log[#log + 1] = i + 10
    end)
  end
  t.settle(3)
  t.same(log, { 1, 2, 3, 4, 5, 11, 12, 13, 14, 15 })
end)

t.test("spawn passes arguments, nils included", function()
  local f = weft.spawn(function(...) return select("#", ...), ... end, 1, nil, "x", nil)
  t.returns(t.pack(4, 1, nil, "x", nil), f:join())
end)

t.test("join gives the results, again and again", function()
  local f = weft.spawn(function() return "a", nil, "c", nil end)
  t.returns(t.pack("a", nil, "c", nil), f:join())
  t.returns(t.pack("a", nil, "c", nil), f:join())
  t.returns(t.pack("a", nil, "c", nil), f:join_op():perform())
end)

t.test("join of a fiber that is parked", function()
  local f = weft.spawn(function()
    weft.sleep(0.01)
    return "late"
  end)
  t.eq(f:join(), "late")
end)

t.test("several joiners get the same results", function()
  local value = {}
  local f = weft.spawn(function()
    weft.sleep(0.005)
    return value
  end)
  local got = 0
  weft.scope(function(s)
    for _ = 1, 10 do
      s:spawn(function()
        t.eq(f:join(), value)
        got = got + 1
      end)
    end
  end)
  t.eq(got, 10)
end)

t.test("join in a choice with a time-out", function()
  local f = weft.spawn(function()
    weft.sleep(0.05)
    return "done"
  end)
  t.eq(weft.choose(f:join_op(), weft.sleep_op(0.001):wrap(function() return "too slow" end)):perform(),
    "too slow")
  t.eq(weft.choose(f:join_op(), weft.sleep_op(3600):wrap(function() return "too slow" end)):perform(), "done")
end)

t.test("join_op tried", function()
  local f = weft.spawn(function() return 7 end)
  t.eq(f:join_op():try(), false)
  weft.yield()
  t.returns(t.pack(true, 7), f:join_op():try())
end)

t.test("status through a life", function()
  local gate = weft.channel()
  local seen
  local f
  f = weft.spawn(function()
    seen = f:status()
    gate:get()
  end)
  t.eq(f:status(), "runnable")
  weft.yield()
  t.eq(seen, "running")
  t.eq(f:status(), "parked")
  gate:put(true)
  t.eq(f:status(), "runnable")
  f:join()
  t.eq(f:status(), "done")
end)

t.test("status of a failed and of a cancelled fiber", function()
  local f = weft.spawn(function()
    weft.yield()
    error("it failed", 0)
  end)
  t.raises("^it failed$", f.join, f)
  t.eq(f:status(), "failed")
  local g = weft.spawn(function() weft.sleep(3600) end)
  weft.yield()
  g:cancel()
  t.pcall(g.join, g)
  t.eq(g:status(), "cancelled")
end)

t.test("the running fiber", function()
  local me = weft.self()
  t.eq(me:status(), "running")
  local other
  local f = weft.spawn(function() other = weft.self() end)
  f:join()
  t.eq(other, f)
  t.ne(other, me)
  t.eq(weft.self(), me)
end)

t.test("id is a number of its own", function()
  local seen = {}
  for _ = 1, 20 do
    local f = weft.spawn(function() end)
    t.eq(type(f.id), "number")
    t.eq(f.id, math.floor(f.id))
    if t.has_integers then t.eq(math.type(f.id), "integer") end
    t.falsy(seen[f.id])
    seen[f.id] = true
  end
end)

t.test("name", function()
  local f = weft.spawn(function() weft.yield() end)
  local default = f:name()
  t.truthy(default == nil or type(default) == "string")
  f:name("worker 7")
  t.eq(f:name(), "worker 7")
  t.contains(tostring(f), "worker 7")
  weft.self():name("boss")
  t.eq(weft.self():name(), "boss")
  t.misuse("bad argument #1 to 'name'", function() f:name({}) end)
end)

t.test("tostring says what it is", function()
  local f = weft.spawn(function() weft.sleep(3600) end)
  weft.yield()
  t.match(tostring(f), "fiber")
  t.contains(tostring(f), "parked")
  f:cancel()
  t.pcall(f.join, f)
  t.contains(tostring(f), "cancelled")
end)

t.test("traceback of a parked fiber", function()
  local function deep_inside() weft.sleep(3600) end
  local f = weft.spawn(function() deep_inside() end)
  weft.yield()
  local trace = f:traceback()
  t.match(trace, "test_fiber%.lua:%d+")
  t.contains(trace, "deep_inside")
  f:cancel()
end)

t.test("traceback of the running fiber and of a finished one", function()
  t.match(weft.self():traceback(), "test_fiber%.lua:%d+")
  local f = weft.spawn(function() end)
  f:join()
  local trace = f:traceback()
  t.truthy(trace == nil or type(trace) == "string")
end)

t.test("yield gives way to all others", function()
  local log = {}
  weft.spawn(function() log[#log + 1] = "a" end)
  weft.spawn(function() log[#log + 1] = "b" end)
  weft.yield()
  log[#log + 1] = "main"
  t.same(log, { "a", "b", "main" })
end)

t.test("yield alone returns nothing, at once", function()
  t.returns(t.pack(), weft.yield())
end)

t.test("a busy pair cannot starve a timer", function()
  local stop = false
  for _ = 1, 2 do
    weft.spawn(function() while not stop do weft.yield() end end)
  end
  weft.sleep(0.01)                        -- which it could not come back from
  stop = true
end)

t.test("a fiber that spawns a fiber that spawns a fiber", function()
  local n = t.scale(10000, 100)
  local count = 0
  local function chain(left)
    count = count + 1
    if left > 0 then weft.spawn(chain, left - 1) end
  end
  weft.scope(function() weft.spawn(chain, n) end)
  t.eq(count, n + 1)
end)

t.test("many fibers", { memory = 16384 }, function()
  local n = t.scale(100000, 1000)
  local sum = 0
  weft.scope(function(s)
    for i = 1, n do
      s:spawn(function(x)
        weft.yield()
        sum = sum + x
      end, i)
    end
  end)
  t.eq(sum, n * (n + 1) / 2)
end)

t.test("many fibers, one after another", { memory = 512 }, function()
  local n = t.scale(300000, 1000)
  for i = 1, n do
    if weft.spawn(function() return i end):join() ~= i then t.fail("wrong result at " .. i) end
  end
end)

t.test("a finished fiber's Lua thread is as new for the next", { memory = 1024 }, function()
  -- A deep stack, a hook and (5.1) an environment of its own must not be seen by the next one.
  local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end
  weft.spawn(function()
    deep(5000)
    if not t.jit then debug.sethook(function() end, "", 1000000) end  -- LuaJIT's hook is everybody's
  end):join()
  for _ = 1, 5 do
    weft.spawn(function()
      local hook, mask, count = debug.gethook()
      t.truthy(hook == nil or (mask == "" and count == 0))
    end):join()
  end
  if setfenv then
    weft.spawn(function() setfenv(0, setmetatable({ weft_test_leak = true }, { __index = _G })) end):join()
    for _ = 1, 5 do
      weft.spawn(function()
        t.eq(getfenv(0).weft_test_leak, nil)
        t.eq(loadstring("return weft_test_leak")(), nil)
      end):join()
    end
  end
end)

t.test("a thread that was handed out is not reused", function()
  local co
  local f = weft.spawn(function() co = coroutine.running() end)
  f:join()
  local again = false
  for _ = 1, 20 do
    weft.spawn(function() if coroutine.running() == co then again = true end end):join()
  end
  t.eq(again, false)
  t.eq(coroutine.status(co), "dead")
end)

t.test("deep recursion in a fiber is an ordinary error", function()
  local function forever(n) return 1 + forever(n + 1) end
  local f = weft.async(function() return forever(1) end)
  t.raises("stack overflow", f.join, f)
  t.eq(weft.spawn(function() return "alive" end):join(), "alive")
end)

t.test("a failure whose traceback is not to be had is told all the same", function()
  -- As in 5.2 with a thread that has overflown its stack, when the collector has shrunk it to the brim.
  local functions, getinfo = debug, debug.getinfo
  functions.getinfo = function(thread, ...) -- luacheck: ignore
    if type(thread) == "thread" then error "stack overflow" end
    return getinfo(thread, ...)
  end
  local f = weft.async(function() error("the cause", 0) end)
  local ok, e = t.pcall(f.join, f)
  functions.getinfo = getinfo -- luacheck: ignore
  t.eq(ok, false)
  t.eq(e, "the cause")
  t.contains(weft.error_info(e).traceback, "not to be had")
end)

t.test("spawn wants a function", function()
  t.misuse("bad argument #1 to '.-spawn'", function() weft.spawn() end)
  t.misuse("bad argument #1 to '.-spawn'", function() weft.spawn("f") end)
  t.misuse("bad argument #1 to '.-daemon'", function() weft.daemon(1) end)
  t.misuse("bad argument #1 to '.-async'", function() weft.async({}) end)
end)

t.test("methods check what they are called on", function()
  local f = weft.spawn(function() end)
  local ch = weft.channel()
  t.raises("join", function() f.join(ch) end)
  t.raises("status", function() f.status("x") end)
  t.raises("", function() f.cancel() end)
end)

t.outside("a fiber that joins itself is a deadlock", function()
  t.raises("deadlock", weft.run, function() weft.self():join() end)
end)

t.test("async keeps its failure for a later join", function()
  local f = weft.async(function() error("kept", 0) end)
  t.settle(3)
  t.eq(f:status(), "failed")
  t.raises("^kept$", f.join, f)
end)

t.test("an async failure that nobody joined surfaces at the scope's end", function()
  local body_ended = false
  t.raises("unseen", weft.scope, function(s)
    s:async(function() error("unseen", 0) end)
    weft.sleep(0.005)
    body_ended = true
  end)
  t.eq(body_ended, true)
end)
