-- SPDX-License-Identifier: MIT
-- weft.run: results, errors, several runs, and what is refused outside it.

local t = require "harness"
local weft = require "weft"

t.outside("run gives the results of f", function()
  t.returns(t.pack(1, "two", nil), weft.run(function() return 1, "two", nil end))
  t.returns(t.pack(), weft.run(function() end))
  t.returns(t.pack(nil), weft.run(function() return nil end))
end)

t.outside("run passes its arguments to f", function()
  t.returns(t.pack(1, nil, "c", nil), weft.run(function(...)
    t.eq(select("#", ...), 4)
    return ...
  end, 1, nil, "c", nil))
end)

t.outside("run passes arguments after its options", function()
  t.returns(t.pack("a", nil), weft.run({ drain = true }, function(...) return ... end, "a", nil))
end)

t.outside("many results pass", function()
  local many = {}
  for i = 1, 200 do many[i] = i end
  local r = t.pack(weft.run(function() return (table.unpack or unpack)(many) end))
  t.eq(r.n, 200)
  t.eq(r[200], 200)
end)

t.outside("f is a fiber", function()
  local me
  weft.run(function()
    me = weft.self()
    t.truthy(me)
    t.eq(me:status(), "running")
  end)
  t.eq(me:status(), "done")
end)

t.test("run inside a fiber is a scope", function()
  local seen = {}
  local a, b = weft.run(function(x)
    weft.spawn(function()
      weft.yield()
      seen[#seen + 1] = "child"
    end)
    seen[#seen + 1] = "body"
    return x, 2
  end, 1)
  t.same(seen, { "body", "child" })
  t.eq(a, 1)
  t.eq(b, 2)
end)

t.test("run inside run inside run", function()
  local v = weft.run(function()
    return weft.run(function()
      weft.sleep(0.001)
      return weft.run(function() return "deep" end)
    end)
  end)
  t.eq(v, "deep")
end)

t.outside("run waits for ordinary children", function()
  local log = {}
  weft.run(function()
    for i = 1, 3 do
      weft.spawn(function()
        weft.sleep(0.01 * i)
        log[#log + 1] = i
        weft.spawn(function()
          weft.yield()
          log[#log + 1] = -i
        end)
      end)
    end
  end)
  table.sort(log)
  t.same(log, { -3, -2, -1, 1, 2, 3 })
end)

t.outside("drain = false cancels what is left when f returns", function()
  local finished, e = false, nil
  weft.run({ drain = false }, function()
    weft.spawn(function()
      local ok
      ok, e = weft.pcall(weft.sleep, 3600)
      finished = ok
      error(e, 0)
    end)
    weft.yield()
  end)
  t.eq(finished, false)
  t.truthy(weft.is_cancelled(e))
end)

t.test("drain = false in a fiber does the same", function()
  local finished
  t.eq(weft.run({ drain = false }, function()
    weft.spawn(function()
      weft.sleep(3600)
      finished = true
    end)
    return "f's result"
  end), "f's result")
  t.eq(finished, nil)
end)

t.outside("one run after another", function()
  for i = 1, 50 do
    local ch
    t.eq(weft.run(function()
      ch = weft.channel()
      weft.spawn(function() ch:put(i) end)
      return ch:get()
    end), i)
  end
end)

t.outside("a channel outlives its run", function()
  local ch = weft.channel(2)
  weft.run(function() ch:put("kept") end)
  t.eq(#ch, 1)
  t.eq(weft.run(function() return ch:get() end), "kept")
end)

t.outside("an error in one run leaves the next one usable", function()
  for i = 1, 20 do
    t.raises("boom " .. i, weft.run, function()
      weft.spawn(function() weft.sleep(3600) end)
      weft.spawn(function() weft.channel():get() end)
      weft.yield()
      error("boom " .. i)
    end)
    t.eq(weft.run(function()
      weft.sleep(0.0001)
      return "fine"
    end), "fine")
  end
end)

t.outside("an error in the first step of f", function()
  t.raises("at once", weft.run, function() error("at once") end)
  t.eq(weft.run(function() return 1 end), 1)
end)

t.outside("run in a coroutine of the user's", function()
  local co = coroutine.wrap(function()
    return weft.run(function()
      weft.sleep(0.001)
      return "from a coroutine"
    end)
  end)
  t.eq(co(), "from a coroutine")
end)

-- ---------------------------------------------------------------- refusals

t.outside("blocking outside run names the cure", function()
  local ch = weft.channel()
  t.misuse("weft%.run", function() weft.sleep(0.01) end)
  t.misuse("weft%.run", function() ch:get() end)
  t.misuse("weft%.run", function() ch:put(1) end)
  t.misuse("weft%.run", function() ch:get_op():perform() end)
  t.misuse("weft%.run", function() weft.choose(ch:get_op(), weft.sleep_op(1)):perform() end)
  t.misuse("weft%.run", function() weft.yield() end)
  t.misuse("weft%.run", function() weft.sleep_until(weft.now() + 1) end)
end)

t.outside("spawn outside run names the cure", function()
  t.misuse("weft%.run", function() weft.spawn(function() end) end)
  t.misuse("weft%.run", function() weft.daemon(function() end) end)
end)

t.outside("scope outside run names the cure", function()
  t.misuse("weft%.run", function() weft.scope(function() end) end)
end)

t.outside("what needs no fiber works outside run", function()
  t.eq(type(weft.now()), "number")
  local ch = weft.channel(1)
  t.eq(ch:cap(), 1)
  t.eq(ch:closed(), false)
  ch:close()
  t.eq(ch:closed(), true)
  t.truthy(weft.choose(ch:get_op(), weft.sleep_op(1)))
end)

t.outside("run wants a function", function()
  t.misuse("bad argument #1 to '.-run'", function() weft.run() end)
  t.misuse("bad argument #1 to '.-run'", function() weft.run(42) end)
  t.misuse("bad argument #2 to '.-run'", function() weft.run({}) end)
  t.misuse("bad argument #2 to '.-run'", function() weft.run({}, "f") end)
end)

t.outside("an unknown option is named", function()
  t.misuse("unknown option.-drian", function() weft.run({ drian = true }, function() end) end)
  t.eq(weft.run(function() return 1 end), 1)
end)

t.outside("an option of the wrong type is named", function()
  t.misuse("drain", function() weft.run({ drain = "no" }, function() end) end)
  t.misuse("backend", function() weft.run({ backend = 7 }, function() end) end)
  t.misuse("unknown option 'workers'", function() weft.run({ workers = 2 }, function() end) end)
end)

t.outside("a backend that does not exist is a clear error", function()
  t.raises("backend.*quantum", weft.run, { backend = "quantum" }, function() end)
  t.eq(weft.run(function() return 1 end), 1)
end)

t.outside("the backends of the machine can be asked for", function()
  for _, backend in ipairs { "epoll", "select" } do
    t.eq(weft.run({ backend = backend }, function()
      weft.sleep(0.001)
      return weft.inspect.backend().name
    end), backend)
  end
end)

t.outside("the default is io_uring, or it is told why not", function()
  t.eq(weft.inspect.backend(), nil)
  if os.getenv "WEFT_BACKEND" then t.skip "WEFT_BACKEND is set" end
  local b = weft.run(weft.inspect.backend)
  if b.name == "io_uring" then
    t.eq(b.fallback, nil)
    t.contains(b.features, "poll")
  else
    t.eq(b.name, "epoll")
    t.truthy(b.fallback == nil or b.fallback:find("io_uring", 1, true))
  end
end)

t.outside("where io_uring is refused, epoll is the default and says so", function()
  local without = t.built "test-lib/without-io-uring" or t.skip "it was not built"
  local source = [[
    local weft = require "weft"
    local name, fallback = weft.run(function()
      local b = weft.inspect.backend()
      return b.name, b.fallback
    end)
    print(name, fallback)
    print(select(2, pcall(weft.run, { backend = "io_uring" }, function() end)))
  ]]
  local r = t.program(source, { env = "WEFT_BACKEND= WEFT_DEBUG=reactor " .. without })
  if r.code == 77 then t.skip "no seccomp here" end
  t.contains(r.err, "weft: reactor: epoll (passed over: io_uring: operation not permitted)\n")
  t.contains(r.out, "epoll\tio_uring: operation not permitted\n")
  t.contains(r.out, 'backend "io_uring": operation not permitted (available: epoll, select)')
end)

t.outside("WEFT_DEBUG=reactor tells the backend", function()
  local source = 'require "weft".run(function() end)'
  t.contains(t.program(source, { env = "WEFT_DEBUG=reactor WEFT_BACKEND=select" }).err, "weft: reactor: select\n")
  t.eq(t.program(source, { env = "WEFT_BACKEND=select" }).err, "")
end)

t.outside("WEFT_BACKEND chooses, and an unknown one raises", function()
  local source = [[
    local weft = require "weft"
    io.write(weft.run(function() weft.sleep(0.001) return "ran" end))
  ]]
  t.eq(t.program(source, { env = "WEFT_BACKEND=select" }).out, "ran")
  t.eq(t.program(source, { env = "WEFT_BACKEND=epoll" }).out, "ran")
  local r = t.program(source, { env = "WEFT_BACKEND=quantum" })
  t.ne(r.code, 0)
  t.contains(r.err, "quantum")
end)

t.outside("a program under the stock interpreter ends with its run", function()
  local r = t.program([[
    local weft = require "weft"
    local n = weft.run(function()
      local ch = weft.channel()
      weft.spawn(function() for i = 1, 3 do ch:put(i) end ch:close() end)
      local sum = 0
      while true do
        local v, why = ch:get()
        if why then return sum end
        sum = sum + v
      end
    end)
    print(n)
  ]])
  t.eq(r.err, "")
  t.eq(r.out, "6\n")
  t.eq(r.code, 0)
end)

t.outside("weft sets no global", function()
  local r = t.program([[
    local before = {}
    for k in pairs(_G) do before[k] = true end
    local weft = require "weft"
    weft.run(function()
      weft.spawn(function() weft.sleep(0.001) end)
      for k in pairs(_G) do if not before[k] then print("global " .. tostring(k)) end end
    end)
    for k in pairs(_G) do if not before[k] then print("global " .. tostring(k)) end end
  ]])
  t.eq(r.out, "")
  t.eq(r.err, "")
end)

t.outside("require gives the same table again", function()
  t.eq(require "weft", weft)
end)

t.test("a run inside a fiber cannot have another backend", function()
  local own = weft.inspect.counters().backend
  local other = own == "select" and "epoll" or "select"
  t.misuse("option 'backend' of run %(" .. other .. "%): the run around this one is driven by " .. own, function()
    weft.run({ backend = other }, function() end)
  end)
  t.eq(weft.run({ backend = own }, function() return 7 end), 7)
end)

t.outside("runs inside a run that watch: the strictest holds, and each ends with its own", function()
  local core = require "weft.core"
  local function watchdog()
    local seconds, preempt = core.watch(0, 0)
    core.watch(seconds, preempt)
    return seconds
  end
  weft.run({ watchdog = 50000 }, function()
    local first, second = weft.latch(1), weft.latch(1)
    local function watching(ms, release)
      return weft.spawn(weft.run, { watchdog = ms }, function() release:wait() end)
    end
    local a = watching(20000, first)
    local b = watching(30000, second)
    t.settle()
    t.eq(watchdog(), 20)
    first:count_down()
    a:join()
    t.eq(watchdog(), 30)
    second:count_down()
    b:join()
    t.eq(watchdog(), 50)
  end)
end)
