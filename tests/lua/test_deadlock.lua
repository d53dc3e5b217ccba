-- SPDX-License-Identifier: MIT
-- Every fiber parked and nothing that can wake one: run raises, and says who waits for what.

local t = require "harness"
local weft = require "weft"

t.outside("a get that nobody answers", function()
  local e = t.raises("deadlock", weft.run, function() weft.channel():get() end)
  t.eq(weft.is_deadlock(e), true)
  t.eq(weft.is_cancelled(e), false)
end)

t.outside("each fiber is listed, with its traceback and what it waits for", function()
  local e = t.raises(nil, weft.run, function()
    local ch = weft.channel()
    local function waits_for_a_message() ch:get() end
    local function waits_for_room() weft.channel():put("x") end
    weft.spawn(function()
      waits_for_a_message()
      return 1
    end):name("reader")
    weft.spawn(function()
      waits_for_room()
      return 1
    end):name("writer")
    weft.self():name("principal")
    weft.choose(ch:get_op(), weft.channel():get_op()):perform()
  end)
  t.eq(weft.is_deadlock(e), true)
  local text = tostring(e)
  for _, part in ipairs { "reader", "writer", "principal", "test_deadlock.lua:" } do t.contains(text, part) end
  t.match(text, "get")
  t.match(text, "put")
  t.match(text, "choice")
  t.contains(text, "waits_for_a_message")
  t.contains(text, "waits_for_room")
end)

t.outside("joining in a circle", function()
  local e = t.raises("deadlock", weft.run, function()
    local a, b
    a = weft.spawn(function()
      weft.yield()
      b:join()
    end)
    b = weft.spawn(function() a:join() end)
    a:name("hen")
    b:name("egg")
  end)
  t.contains(tostring(e), "hen")
  t.contains(tostring(e), "egg")
  t.match(tostring(e), "waits for fiber 'egg' %(#%d+%) to end")
end)

-- ---------------------------------------------------------------- the cycle

-- The lines of the report of a deadlocked f that name a cycle, without ids: all fibers have names.
local function cycles(f)
  local e = t.raises("deadlock", weft.run, function()
    weft.self():name "main"
    f()
  end)
  t.eq(weft.is_deadlock(e), true)
  local list = {}
  for line in tostring(e):gmatch "[^\n]+" do
    if line:find "^cycle: " then list[#list + 1] = line:gsub(" %(#%d+%)", "") end
  end
  return list
end

local function spawn(name, f, ...)
  local fiber = weft.spawn(f, ...)
  fiber:name(name)
  return fiber
end

local function one_cycle(expected, f)
  local list = cycles(f)
  t.eq(#list, 1)
  t.eq(list[1], "cycle: " .. expected)
end

t.outside("a cycle of joins is named", function()
  one_cycle("fiber 'hen' waits to join fiber 'egg', which waits to join fiber 'hen'", function()
    local a, b
    a = spawn("hen", function()
      weft.yield()
      b:join()
    end)
    b = spawn("egg", function() a:join() end)
  end)
end)

t.outside("a fiber that joins itself", function()
  one_cycle("fiber 'main' waits to join fiber 'main'", function() weft.self():join() end)
end)

t.outside("a cycle of two mutexes, and of a mutex and a join", function()
  one_cycle("fiber 'a' waits for a mutex held by fiber 'b', which waits for a mutex held by fiber 'a'", function()
    local m, n = weft.mutex(), weft.mutex()
    local function both(first, second)
      local held = first:lock()
      weft.yield()
      second:lock()
      held:unlock()
    end
    spawn("a", both, m, n)
    spawn("b", both, n, m)
  end)
  one_cycle("fiber 'main' waits to join fiber 'b', which waits for a mutex held by fiber 'main'", function()
    local m = weft.mutex()
    m:lock()
    spawn("b", function() m:lock() end):join()
  end)
end)

t.outside("a cycle through the readers and the writer of an rwmutex", function()
  local expected = "fiber 'main' waits to join fiber 'b', which waits for an rwmutex held by fiber 'main'"
  one_cycle(expected, function()
    local m = weft.rwmutex()
    m:rlock()
    spawn("b", function() m:lock() end):join()
  end)
  one_cycle(expected, function()
    local m = weft.rwmutex()
    m:lock()
    spawn("b", function() m:rlock() end):join()
  end)
end)

t.outside("a cycle through a once", function()
  one_cycle("fiber 'main' waits to join fiber 'b', which waits for a once that is run by fiber 'main'", function()
    local once
    once = weft.once(function() spawn("b", function() once() end):join() end)
    once()
  end)
end)

t.outside("a cycle through a scope that waits for its children", function()
  one_cycle("fiber 'main' waits for its child, fiber 'child', which waits to join fiber 'main'", function()
    local me = weft.self()
    weft.scope(function(s) s:spawn(function() me:join() end):name "child" end)
  end)
end)

t.outside("a wrapped, guarded or only arm is in a cycle; a choice with another arm is not", function()
  one_cycle("fiber 'main' waits to join fiber 'main'", function()
    local op = weft.self():join_op():wrap(function() end)
    weft.choose(weft.guard(function() return op end)):perform()
  end)
  t.eq(#cycles(function() weft.choose(weft.self():join_op(), weft.channel():get_op()):perform() end), 0)
end)

t.outside("no cycle where a chain of waits ends elsewhere; a daemon may be in one", function()
  t.eq(#cycles(function()
    local m = weft.mutex()
    local a = weft.spawn(function()
      m:lock()
      weft.channel():get()
    end)
    weft.spawn(function() m:lock() end)
    a:join()
  end), 0)
  one_cycle("fiber 'main' waits to join fiber 'demon', which waits to join fiber 'main'", function()
    local me = weft.self()
    local demon = weft.daemon(function() me:join() end)
    demon:name "demon"
    demon:join()
  end)
end)

t.outside("a long chain, and many cycles: a few are named", function()
  t.eq(#cycles(function()
    local first = weft.self()
    local last = first
    for _ = 1, t.scale(100000, 3000) do
      local before = last
      last = weft.spawn(function() before:join() end)
    end
    last:join()
  end), 1)
  t.eq(#cycles(function()
    for _ = 1, 100 do weft.spawn(function() weft.self():join() end) end
  end), 4)
end)

t.outside("who holds what a fiber waits for is in the list too", function()
  local e = t.raises("deadlock", weft.run, function()
    local m, rw = weft.mutex(), weft.rwmutex()
    m:lock()
    for _ = 1, 6 do
      weft.spawn(function()
        rw:rlock()
        weft.channel():get()
      end)
    end
    weft.spawn(function() m:lock() end)
    weft.yield()
    weft.spawn(function() rw:lock() end)
    weft.semaphore(0):acquire()
  end)
  t.match(tostring(e), "waits for a mutex held by fiber #%d+ for")
  t.match(tostring(e), "waits for an rwmutex held by fiber #%d+, fiber #%d+, fiber #%d+, fiber #%d+ and 2 more for")
  t.contains(tostring(e), "waits for a semaphore for")
end)

t.outside("a child that is left behind when f has returned", function()
  local e = t.raises("deadlock", weft.run, function()
    weft.spawn(function() weft.channel():get() end):name("left behind")
    return "f is done"
  end)
  t.contains(tostring(e), "left behind")
end)

t.outside("after other work was done", function()
  local e = t.raises("deadlock", weft.run, function()
    weft.sleep(0.005)
    local ch = weft.channel()
    weft.spawn(function() ch:put(1) end)
    ch:get()
    ch:get()
  end)
  t.truthy(weft.is_deadlock(e))
end)

t.outside("in a nested scope", function()
  local e = t.raises("deadlock", weft.run, function()
    weft.scope(function(s)
      s:spawn(function() weft.channel():get() end)
    end)
  end)
  t.truthy(weft.is_deadlock(e))
end)

t.outside("the fibers of a deadlock are unwound", function()
  local unwound = 0
  t.raises("deadlock", weft.run, function()
    for _ = 1, 3 do
      weft.spawn(function()
        local ok, e = weft.pcall(function() weft.channel():get() end)
        if not ok then
          unwound = unwound + 1
          error(e, 0)
        end
      end)
    end
    weft.channel():get()
  end)
  t.eq(unwound, 3)
end)

t.outside("a daemon that is parked does not count", function()
  weft.run(function()
    local ch = weft.channel()
    weft.daemon(function() ch:get() end)
    weft.yield()
  end)
  local e = t.raises("deadlock", weft.run, function()
    weft.daemon(function() weft.channel():get() end)
    weft.channel():get()
  end)
  t.truthy(weft.is_deadlock(e))
end)

t.outside("a timer or a socket is no deadlock", function()
  weft.run(function()
    local ch = weft.channel()
    weft.spawn(function()
      weft.sleep(0.01)
      ch:put(1)
    end)
    t.eq(ch:get(), 1)
  end)
  weft.run(function()
    local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
    weft.spawn(function()
      local s = assert(l:accept())
      s:close()
      l:close()
    end)
    weft.spawn(function()
      weft.sleep(0.01)
      assert(weft.net.tcp.connect(l:address())):close()
    end)
  end)
end)

t.outside("a choice with a timer is no deadlock", function()
  t.eq(weft.run(function()
    return weft.choose(weft.channel():get_op(), weft.sleep_op(0.005):wrap(function() return "timer" end)):perform()
  end), "timer")
end)

t.outside("a self-match does not count as somebody", function()
  t.raises("deadlock", weft.run, function()
    local ch = weft.channel()
    weft.choose(ch:get_op(), ch:put_op(1)):perform()
  end)
end)

t.outside("the next run is unharmed", function()
  for _ = 1, 10 do
    t.raises("deadlock", weft.run, function() weft.channel():get() end)
    t.eq(weft.run(function()
      weft.sleep(0.0001)
      return 1
    end), 1)
  end
end)

t.outside("channels of a deadlocked run are clean", function()
  local ch = weft.channel()
  t.raises("deadlock", weft.run, function() ch:get() end)
  t.raises("deadlock", weft.run, function() ch:put("stale") end)
  t.returns(t.pack("fresh"), weft.run(function()
    weft.spawn(function() ch:put("fresh") end)
    return ch:get()
  end))
end)

t.test("in a program of its own: exit code 1 and the list on stderr", function()
  local r = t.program([[
    local weft = require "weft"
    weft.run(function()
      weft.self():name("lonely")
      weft.channel():get()
    end)
  ]])
  t.eq(r.code, 1)
  t.eq(r.out, "")
  t.contains(r.err, "deadlock")
  t.contains(r.err, "lonely")
end)
