-- SPDX-License-Identifier: MIT
-- What a user tests and inspects programs with: weft.test and explore, the watchdog, preemption, the dump
-- signal, weft.inspect.

local t = require "harness"
local weft = require "weft"

-- A program whose order of events depends on the schedule; the order as a string.
local function racing()
  local log = {}
  local ch = weft.channel()
  weft.scope(function(s)
    for i = 1, 6 do
      s:spawn(function()
        weft.yield()
        log[#log + 1] = tostring(i)
        weft.choose(ch:put_op(i), weft.sleep_op(0.001)):perform()
        log[#log + 1] = string.char(96 + i)
      end)
    end
    for _ = 1, 3 do log[#log + 1] = "<" .. tostring((weft.choose(ch:get_op(), weft.never()):perform())) end
  end)
  return table.concat(log)
end

-- ---------------------------------------------------------------- weft.test

t.test("test: gives f's results and passes its arguments", function()
  t.returns(t.pack(1, nil, 3, nil), weft.test({ seed = 1 }, function(...) return ... end, 1, nil, 3, nil))
  t.returns(t.pack(), weft.test({}, function() end))
end)

t.test("test: the same seed gives the same schedule, others differ", function()
  local seen, kinds = {}, 0
  for seed = 1, 20 do
    local first = weft.test({ seed = seed }, racing)
    for _ = 1, 3 do t.eq(weft.test({ seed = seed }, racing), first, "seed " .. seed) end
    if not seen[first] then kinds = kinds + 1 end
    seen[first] = true
  end
  t.truthy(kinds >= 10, kinds .. " schedules of 20 seeds")
end)

t.test("test: the arm of a choice is decided by the seed too", function()
  local function pick()
    local picks = {}
    for i = 1, 16 do picks[i] = weft.choose(weft.always "a", weft.always "b", weft.always "c"):perform() end
    return table.concat(picks)
  end
  local seen, kinds = {}, 0
  for seed = 1, 10 do
    local picks = weft.test({ seed = seed }, pick)
    t.eq(weft.test({ seed = seed }, pick), picks)
    if not seen[picks] then kinds = kinds + 1 end
    seen[picks] = true
  end
  t.truthy(kinds >= 5)
end)

t.test("test: seeds of any size", function()
  for _, seed in ipairs { 0, -1, 2 ^ 31, 2 ^ 40 } do
    t.eq(weft.test({ seed = seed }, racing), weft.test({ seed = seed }, racing))
  end
end)

t.test("test: hours pass at once, and in the right order", function()
  weft.test({ seed = 1, virtual_time = true }, function()
    local log, start = {}, weft.now()
    weft.scope(function(s)
      for i = 10, 1, -1 do
        s:spawn(function()
          weft.sleep(i * 3600)
          log[#log + 1] = i
          t.between(weft.now() - start, i * 3600 - 1e-6, i * 3600 + 1)
        end)
      end
    end)
    for i = 1, 10 do t.eq(log[i], i) end
    t.between(weft.now() - start, 36000 - 1e-6, 36001)
  end)
end)

t.test("test: time-outs, deadlines and tickers follow the clock that jumps", function()
  weft.test({ seed = 3 }, function()
    local start = weft.now()
    t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(weft.never(), 600):perform())
    t.between(weft.now() - start, 600 - 1e-6, 601)
    local ok, e = t.pcall(weft.scope, { timeout = 600 }, function() weft.sleep(6000) end)
    t.eq(ok, false)
    t.truthy(weft.is_timeout(e))
    t.between(weft.now() - start, 1200 - 1e-6, 1201)
    weft.sleep_until(start + 5000)
    t.between(weft.now() - start, 5000 - 1e-6, 5001)
    t.eq(weft.choose(weft.sleep_op(20):wrap(function() return "late" end),
      weft.sleep_op(10):wrap(function() return "soon" end)):perform(), "soon")
    t.between(weft.now() - start, 5010 - 1e-6, 5011)
  end)
end)

t.test("test: with a real clock it sleeps", function()
  local took = t.timed(function()
    weft.test({ seed = 1, virtual_time = false }, function() weft.sleep(0.02) end)
  end)
  t.truthy(took >= 0.02)
end)

t.test("test: the clock outside goes on as before", function()
  local before = weft.now()
  weft.test({ seed = 1 }, function() weft.sleep(100000) end)
  t.between(weft.now() - before, 0, 99999)
  t.truthy(t.timed(weft.sleep, 0.01) >= 0.01)
end)

t.test("test: a failure reports its seed, and replays", function()
  local function buggy()                  -- fails when the second fiber is the first to run
    local first
    weft.scope(function(s)
      for i = 1, 2 do
        s:spawn(function()
          weft.yield()
          first = first or i
        end)
      end
    end)
    if first == 2 then error("lost the race", 0) end
  end
  local failed, passed
  for seed = 1, 50 do
    local ok, e = t.pcall(weft.test, { seed = seed }, buggy)
    if ok then passed = passed or seed end
    if not ok then
      failed = failed or seed
      t.contains(e, "lost the race")
      t.contains(e, "seed " .. seed)
    end
  end
  t.truthy(failed and passed, "both happen in 50 seeds")
  for _ = 1, 5 do
    t.raises("lost the race", weft.test, { seed = failed }, buggy)
    weft.test({ seed = passed }, buggy)
  end
end)

t.test("test: an error that is no string passes untouched, error_info knows the seed", function()
  local value = { "an object" }
  local ok, e = t.pcall(weft.test, { seed = 77 }, function() error(value, 0) end)
  t.eq(ok, false)
  t.eq(e, value)
  t.eq(weft.error_info(e).seed, 77)
end)

t.test("test: without a seed one is chosen, and told", function()
  local ok, e = t.pcall(weft.test, {}, function() error("unlucky", 0) end)
  t.eq(ok, false)
  local seed = tonumber(e:match "seed (%d+)")
  t.truthy(seed, e)
  local _, again = t.pcall(weft.test, {}, function() error("unlucky", 0) end)
  t.ne(again:match "seed (%d+)", tostring(seed))
end)

t.test("test: a deadlock is found", function()
  local ok, e = t.pcall(weft.test, { seed = 1 }, function() weft.channel():get() end)
  t.eq(ok, false)
  t.contains(tostring(e), "deadlock")
  weft.yield()
end)

t.test("test: inside a fiber, a runtime of its own", function()
  local me = weft.self()
  local ch, log = weft.channel(), {}
  local f = weft.spawn(function()
    for _ = 1, 3 do
      ch:get()
      log[#log + 1] = "outer"
    end
  end)
  weft.yield()
  local inner_id = weft.test({ seed = 5 }, function()
    t.ne(weft.self(), me)
    for _ = 1, 100 do weft.yield() end
    weft.spawn(function() log[#log + 1] = "inner" end)
    weft.sleep(1000)
    return weft.self().id
  end)
  t.same(log, { "inner" }, "the fibers outside wait meanwhile")
  t.eq(weft.self(), me)
  t.ne(inner_id, me.id)
  for i = 1, 3 do ch:put(i) end
  f:join()
  weft.sleep(0.001)
  t.eq(#log, 4)
end)

t.test("test: completes a wait of the runtime outside, which goes on after it", function()
  local waiting, log = nil, {}
  local f = weft.spawn(function()
    local v = weft.base_op(nil, function() return false end, function(s) waiting = s end):perform()
    log[#log + 1] = v
    local took = t.timed(weft.sleep, 0.005)
    t.truthy(took >= 0.005)
  end)
  weft.yield()
  weft.test({ seed = 1 }, function()
    t.eq(waiting:complete(nil, "outside"), true)
    weft.sleep(1)
    log[#log + 1] = "inside"
  end)
  f:join()
  t.same(log, { "inside", "outside" })
end)

t.test("test: inside weft.test, inside a coroutine, in a child fiber", function()
  t.eq(weft.test({ seed = 1 }, function()
    local a = weft.test({ seed = 2 }, racing)
    weft.sleep(10)
    t.eq(weft.test({ seed = 2 }, racing), a)
    return "outer"
  end), "outer")
  local in_coroutine = coroutine.wrap(function() return weft.test({ seed = 4 }, racing) end)
  t.eq(in_coroutine(), weft.test({ seed = 4 }, racing))
  t.eq(weft.spawn(function() return weft.test({ seed = 4 }, racing) end):join(), weft.test({ seed = 4 }, racing))
  t.eq(coroutine.wrap(function()          -- generators work after it as before
    weft.yield()
    return "yielded"
  end)(), "yielded")
end)

t.test("test: an error inside leaves the runtime outside as it was", function()
  for seed = 1, 20 do
    t.raises("broke", weft.test, { seed = seed }, function()
      weft.spawn(function() weft.sleep(1) end)
      weft.daemon(function() weft.never():perform() end)
      error "broke"
    end)
    weft.yield()
    weft.scope(function(s) s:spawn(weft.sleep, 0) end)
  end
end)

t.test("test: cancel, scopes, defers, coroutines and primitives behave in it", function()
  for seed = 1, 20 do
    weft.test({ seed = seed }, function()
      local log = {}
      local f = weft.spawn(function()
        weft.defer(function() log[#log + 1] = "deferred" end)
        weft.sleep(3600)
      end)
      weft.sleep(1)
      f:cancel "enough"
      local ok, e = t.pcall(f.join, f)
      t.eq(ok, false)
      t.eq(e.reason, "enough")
      t.same(log, { "deferred" })
      local gen = coroutine.wrap(function()
        for i = 1, 3 do
          weft.sleep(1)
          coroutine.yield(i)
        end
      end)
      t.eq(gen() + gen() + gen(), 6)
      local m, inside = weft.mutex(), 0
      weft.scope(function(s)
        for _ = 1, 5 do
          s:spawn(function()
            m:with(function()
              inside = inside + 1
              t.eq(inside, 1)
              weft.sleep(5)
              inside = inside - 1
            end)
          end)
        end
      end)
    end)
  end
end)

t.test("test: misuse", function()
  t.misuse("test", function() weft.test() end)
  t.misuse("test", function() weft.test({}) end)
  t.misuse("test", function() weft.test(function() end) end)
  t.misuse("sed", function() weft.test({ sed = 1 }, print) end)
  t.misuse("seed", function() weft.test({ seed = "1" }, print) end)
  t.misuse("virtual_time", function() weft.test({ virtual_time = 1 }, print) end)
end)

t.outside("test outside a run", function()
  t.eq(weft.test({ seed = 9 }, racing), weft.test({ seed = 9 }, racing))
  t.raises("seed 9", weft.test, { seed = 9 }, function() error "x" end)
  t.raises("weft.run", function() weft.yield() end)
end)

t.test("test: memory is flat over many of them", function()
  for seed = 1, 50 do weft.test({ seed = seed }, racing) end
  t.flat(function()
    for seed = 1, t.scale(500, 50) do weft.test({ seed = seed }, racing) end
  end, 128)
end)

-- ---------------------------------------------------------------- explore

t.test("explore: n seeds; the first failure with its seed", function()
  local runs = 0
  t.eq(weft.explore(function() runs = runs + 1 end, 30), 30)
  t.eq(runs, 30)
  local ok, e = t.pcall(weft.explore, function()
    local order = {}
    weft.scope(function(s)
      for i = 1, 3 do s:spawn(function() order[#order + 1] = i end) end
    end)
    if order[1] == 3 then error("third first", 0) end
  end, 200)
  t.eq(ok, false)
  t.contains(e, "third first")
  t.match(e, "seed %d+")
  t.misuse("explore", function() weft.explore() end)
end)

t.test("explore: finds a lost update", function()
  local ok, e = t.pcall(weft.explore, function()
    local balance = 0
    weft.scope(function(s)
      for _ = 1, 2 do
        s:spawn(function()
          local read = balance
          weft.yield()
          balance = read + 1
        end)
      end
    end)
    if balance ~= 2 then error("lost update", 0) end
  end, 100)
  t.eq(ok, false)
  t.contains(e, "lost update")
end)

-- ---------------------------------------------------------------- watchdog, preempt, dump signal

-- LuaJIT calls no hooks in compiled code: what watches a spinning fiber sees interpreted code alone.
local interpreted = t.jit and "jit.off()\n" or ""

t.test("watchdog: names the fiber that spins, once a turn, and the program goes on", function()
  local r = t.program(interpreted .. [[
    local weft = require "weft"
    weft.run({ watchdog = 20 }, function()
      local f = weft.spawn(function()
        weft.self():name "spinner"
        local function hot_loop()
          local stop, n = os.clock() + 0.3, 0
          while os.clock() < stop do for _ = 1, 1000 do n = n + 1 end end
          return n
        end
        local n = hot_loop()
        return n
      end)
      f:join()
      print "went on"
    end)
  ]])
  t.eq(r.code, 0, r.err)
  t.eq(r.out, "went on\n")
  t.contains(r.err, "spinner")
  t.contains(r.err, "hot_loop")
  local _, times = r.err:gsub("has run", "")
  t.eq(times, 1, r.err)
end)

t.test("watchdog: silent about fibers that wait", function()
  local r = t.program [[
    local weft = require "weft"
    weft.run({ watchdog = 200 }, function()
      weft.sleep(0.4)
      for _ = 1, 1000 do weft.yield() end
      print "quiet"
    end)
  ]]
  t.eq(r.out, "quiet\n")
  t.eq(r.err, "")
end)

t.test("watchdog: sees a spin inside a coroutine", function()
  local r = t.program(interpreted .. [[
    local weft = require "weft"
    weft.run({ watchdog = 20 }, function()
      weft.self():name "outer"
      local co = coroutine.wrap(function()
        weft.yield()
        local stop, n = os.clock() + 0.3, 0
        while os.clock() < stop do for _ = 1, 1000 do n = n + 1 end end
      end)
      co()
    end)
  ]])
  t.eq(r.code, 0, r.err)
  t.contains(r.err, "outer")
end)

local preempting = [[
  local weft = require "weft"
  weft.run({ preempt = 5 }, function()
    local ticks, stop = 0, false
    local f = weft.spawn(function()
      local n = 0
      while not stop do for _ = 1, 1000 do n = n + 1 end end
      return n
    end)
    for _ = 1, 10 do
      weft.yield()
      ticks = ticks + 1
    end
    stop = true
    f:join()
    print("ticks", ticks)
  end)
]]

t.test("preempt: slices a fiber that spins", function()
  if t.lua == "Lua 5.1" or t.lua == "Lua 5.2" then
    local r = t.program(preempting)
    t.ne(r.code, 0)
    t.contains(r.err, "preempt")
    return
  end
  local r = t.program(preempting)
  t.eq(r.code, 0, r.err)
  t.eq(r.out, "ticks\t10\n")
end)

t.test("preempt: values and calls of a sliced fiber are untouched", function()
  if t.lua == "Lua 5.1" or t.lua == "Lua 5.2" then t.skip "5.3 and later" end
  local r = t.program [[
    local weft = require "weft"
    local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
    weft.run({ preempt = 1 }, function()
      local sums = {}
      weft.scope(function(s)
        for i = 1, 4 do
          s:spawn(function()
            local list = {}
            for k = 1, 2000 do list[k] = { (k * 7919) % 2003 } end
            table.sort(list, function(a, b) return a[1] < b[1] end)
            for k = 2, #list do assert(list[k - 1][1] <= list[k][1]) end
            local text = ("x"):rep(2000):gsub("x", function(c) return c .. i end)
            assert(#text == 4000)
            local co = coroutine.wrap(function() for k = 1, 20000 do coroutine.yield(k) end end)
            local last
            for _ = 1, 20000 do last = co() end
            assert(last == 20000)
            sums[i] = fib(24)
          end)
        end
      end)
      print(sums[1], sums[2], sums[3], sums[4])
    end)
  ]]
  t.eq(r.code, 0, r.err)
  t.eq(r.out, "46368\t46368\t46368\t46368\n")
end)

t.test("preempt and watchdog: wrong options are refused", function()
  local r = t.program [[
    local weft = require "weft"
    print(pcall(weft.run, { watchdog = "x" }, print))
    print(pcall(weft.run, { dump_signal = "SIGNOPE" }, print))
    print(pcall(weft.run, { dump_signal = 3 }, print))
  ]]
  t.eq(r.code, 0, r.err)
  t.contains(r.out, "watchdog")
  t.contains(r.out, "SIGNOPE")
  local _, times = r.out:gsub("false", "")
  t.eq(times, 3, r.out)
end)

-- What a program has that asks itself for a dump: kill(signal, until_done), which a shell does soon, or again and again
-- (os.execute ignores QUIT while it is on its way), and said(pattern), how often stderr has that by now. In said TSan
-- gives signals too, which it does in what it intercepts.
local asking = [[
    local weft = require "weft"
    local function read(path)
      local f = io.open(path)
      local text = f:read "*a"
      f:close()
      return text
    end
    local function kill(signal, until_done)
      local command = ("kill -%s %s"):format(signal, read "/proc/self/stat":match "^%d+")
      if until_done then command = ("while %s; do sleep 0.3; done"):format(command) end
      os.execute(("(sleep 0.1; %s) > /dev/null 2>&1 &"):format(command))
    end
    local function said(pattern) return select(2, read "/proc/self/fd/2":gsub(pattern, "")) end
]]

local function dumped(body, signal)
  return t.program(asking .. ([[
    local function kill_soon() kill("%s", true) end
    weft.run({ dump_signal = "SIG%s" }, function()
      %s
    end)
  ]]):format(signal or "QUIT", signal or "QUIT", body))
end

local spinning = [[
      local sleeper = weft.spawn(function()
        weft.self():name "sleeper"
        weft.sleep(3600)
      end)
      local f = weft.spawn(function()
        weft.self():name "spinner"
        local function busy()
          local n = 0
          kill_soon()
          while said "fiber 'spinner'" == 0 do for _ = 1, 1000 do n = n + 1 end end
          return n
        end
        local n = busy()
        return n
      end)
      f:join()
      sleeper:cancel()
      print "went on"
]]

t.test("dump_signal: while a fiber spins", function()
  local r = dumped(spinning)
  t.eq(r.code, 0, r.err)
  t.eq(r.out, "went on\n")
  t.contains(r.err, "sleeper")
  t.contains(r.err, "spinner")
  t.contains(r.err, "busy")
  t.contains(r.err, "running")
end)

t.test("dump_signal: while everything waits, and another signal", function()
  local body = [[
      weft.spawn(function()
        weft.self():name "waiter"
        weft.channel():get()
      end):cancel()
      weft.self():name "main one"
      local parked = weft.spawn(function()
        weft.self():name "waiter"
        weft.never():perform()
      end)
      kill_soon()
      while said "main one" == 0 do weft.sleep(0.05) end
      parked:cancel()
      print "went on"
  ]]
  for _, signal in ipairs { "QUIT", "USR1" } do
    local r = dumped(body, signal)
    t.eq(r.out, "went on\n", r.err)
    t.eq(r.code, 0, r.err)
    t.contains(r.err, "waiter")
    t.contains(r.err, "main one")
  end
end)

t.test("dump_signal: twice, with a watchdog beside it", function()
  local r = t.program(interpreted .. asking .. [[
    weft.run({ dump_signal = "SIGUSR2", watchdog = 50 }, function()
      weft.self():name "spinner"
      local n = 0
      local function spin_until(pattern, times)
        while said(pattern) < times do for _ = 1, 1000 do n = n + 1 end end
      end
      for i = 1, 2 do
        kill "USR2"
        spin_until("weft: fiber 'spinner'[^\n]*running", i)
      end
      spin_until("has run", 1)
      weft.yield()
      print "went on"
    end)
  ]])
  t.eq(r.out, "went on\n", r.err)
  local _, dumps = r.err:gsub("weft: fiber 'spinner'[^\n]*running", "")
  t.eq(dumps, 2, r.err)
  t.contains(r.err, "has run")
end)

-- ---------------------------------------------------------------- inspect

local function find(list, name)
  for _, f in ipairs(list) do if f.name == name then return f end end
end

t.test("inspect.fibers: every live fiber with all it should have", function()
  local before = weft.now()
  weft.sleep(0.001) -- since is the time of the worker's turn, and the case before has blocked in one for long
  local ch = weft.channel()
  weft.scope({ name = "the scope" }, function(s)
    local fibers = {}
    local function named(name, f)
      fibers[name] = s:spawn(function()
        weft.self():name(name)
        f()
      end)
      return fibers[name]
    end
    named("getter", function() ch:get() end)
    named("sleeper", function() weft.sleep(3600) end)
    named("chooser", function() weft.choose(ch:get_op(), weft.sleep_op(3600)):perform() end)
    named("joiner", function() fibers.sleeper:join() end)
    local m = weft.mutex()
    m:lock()
    named("locker", function() m:lock() end)
    s:daemon(function()
      weft.self():name "daemon"
      weft.never():perform()
    end)
    weft.sleep(0.02)
    local parked, list = weft.now(), nil
    t.eventually(function()               -- the later by as much as this thread stands still while it looks
      list = weft.inspect.fibers()
      for name in pairs(fibers) do
        if find(list, name).since > parked then return false end
      end
      return true
    end)
    for name, f in pairs(fibers) do
      local info = find(list, name)
      t.truthy(info, name)
      t.eq(info.id, f.id)
      t.eq(info.state, "parked")
      t.eq(type(info.waiting), "string")
      t.truthy(info.since >= before - 0.002, "a time of weft.now(), in milliseconds")
      t.contains(info.scope, "the scope")
      t.contains(info.line, "test_testing.lua:")
    end
    t.contains(find(list, "getter").waiting, "get")
    t.contains(find(list, "chooser").waiting, "choice")
    t.eq(find(list, "joiner").waiting, ("fiber 'sleeper' (#%d) to end"):format(fibers.sleeper.id))
    t.eq(find(list, "locker").waiting, "a mutex held by fiber #" .. weft.self().id)
    t.truthy(find(list, "daemon"))
    local me
    for _, info in ipairs(list) do if info.id == weft.self().id then me = info end end
    t.eq(me.state, "running")
    for _, name in ipairs { "joiner", "getter", "sleeper", "chooser", "locker" } do
      fibers[name]:cancel()
      t.pcall(fibers[name].join, fibers[name])
      t.eq(find(weft.inspect.fibers(), name), nil)
    end
  end)
end)

t.test("inspect.dump: names, states, waits, tracebacks", function()
  weft.scope(function(s)
    s:spawn(function()
      weft.self():name "dumped"
      local function in_this_function()
        weft.channel():get()
        return nil
      end
      in_this_function()
    end)
    t.settle(3)
    local text = weft.inspect.dump()
    t.contains(text, "dumped")
    t.contains(text, "parked")
    t.contains(text, "get from a channel")
    t.contains(text, "test_testing.lua")
    t.contains(text, "stack traceback")
    t.contains(text, "#" .. weft.self().id)
    s:cancel()
  end)
end)

t.test("inspect: within weft.test it lists its own", function()
  weft.test({ seed = 1 }, function()
    weft.self():name "the tested"
    t.truthy(find(weft.inspect.fibers(), "the tested"))
    t.contains(weft.inspect.dump(), "the tested")
  end)
  t.eq(find(weft.inspect.fibers(), "the tested"), nil)
end)

t.test("inspect: of a thousand fibers", function()
  weft.scope(function(s)
    for _ = 1, 1000 do s:spawn(function() weft.never():perform() end) end
    t.settle(2)
    t.truthy(#weft.inspect.fibers() >= 1001)
    t.truthy(#weft.inspect.dump() > 1000)
    s:cancel()
  end)
end)

t.outside("inspect outside a run", function()
  t.same(weft.inspect.fibers(), {})
  t.eq(type(weft.inspect.dump()), "string")
end)
