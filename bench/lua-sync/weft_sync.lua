-- SPDX-License-Identifier: MIT
-- Each work(n) does n of something in the running fiber and those that it spawns. It is measured as
-- `weft_sync.lua NAME`, and with `flat_NAME n` for what n of it leave in memory.
local here = arg[0]:match("^(.*)/") or "."
local bench = dofile(here .. "/../lua-micro/common.lua")
local generator = dofile(here .. "/generator.lua")
local weft = require "weft"
local spawn, yield, scope, choose = weft.spawn, weft.yield, weft.scope, weft.choose

local work = { generator_wrap = generator.wrap, generator_resume = generator.resume }
local counts = { generator_wrap = 5e6, generator_resume = 5e6 }
local function measured(name, count, f) work[name], counts[name] = f, count end

-- `fibers` of them do n together, and give way while they hold what they have taken, so that the rest queues.
local function contended(fibers, n, take, give)
  local each = math.floor(n / fibers)
  scope(function(s)
    for _ = 1, fibers do
      s:spawn(function()
        for _ = 1, each do
          take()
          yield()
          give()
        end
      end)
    end
  end)
end

local mutex = weft.mutex()
local function lock() mutex:lock() end
local function unlock() mutex:unlock() end

measured("mutex_free", 5e6, function(n)
  for _ = 1, n do
    mutex:lock()
    mutex:unlock()
  end
end)
measured("mutex_2", 5e5, function(n) contended(2, n, lock, unlock) end)
measured("mutex_100", 5e5, function(n) contended(100, n, lock, unlock) end)

local semaphore = weft.semaphore(4)
local function acquire() semaphore:acquire() end
local function release() semaphore:release() end

measured("semaphore_free", 5e6, function(n)
  for _ = 1, n do
    semaphore:acquire()
    semaphore:release()
  end
end)
measured("semaphore_100", 5e5, function(n) contended(100, n, acquire, release) end)

-- Choices that have to park, of a channel that another fiber feeds and an arm that is lost.
local data, never = weft.channel(), weft.channel()
local function choices(lost)
  local op = choose(data:get_op(), lost)
  return function(n)
    spawn(function()
      for i = 1, n do
        data:put(i)
        yield()
      end
    end)
    for i = 1, n do assert(op:perform() == i) end
  end
end
local function never_op() return never:get_op() end
measured("choice_plain", 5e5, choices(never:get_op()))
measured("choice_guard", 3e5, choices(weft.guard(never_op)))
measured("choice_nack", 3e5, choices(weft.with_nack(never_op)))

-- A fiber of its own waits for each nack, as a server would.
measured("choice_nack_served", 2e5, choices(weft.with_nack(function(nack)
  spawn(nack.perform, nack)
  return never:get_op()
end)))

local function nothing() end
measured("scope", 1e6, function(n)
  for _ = 1, n do scope(nothing) end
end)
local function one_child(s) s:spawn(nothing) end
measured("scope_child", 5e5, function(n)
  for _ = 1, n do scope(one_child) end
end)

local function time(name)
  local n = bench.scaled(counts[name])
  weft.run(function()
    work[name](bench.scaled(counts[name] / 50))
    local start = bench.clock()
    work[name](n)
    bench.result(name, (bench.clock() - start) / n * 1e9, "ns")
  end)
end

-- Growth over n, after a twentieth of it has made what is kept for reuse.
local function growth(name)
  local n = bench.scaled(bench.count)
  local function settled()
    collectgarbage()
    collectgarbage()
    return bench.resident() / 1024, collectgarbage("count")
  end
  weft.run(function()
    work[name](math.floor(n / 20))
    local resident, counted = settled()
    work[name](n)
    local resident_after, counted_after = settled()
    bench.result("flat_resident", resident_after - resident, "KiB")
    bench.result("flat_counted", counted_after - counted, "KiB")
  end)
end

local sections = {}
for name in pairs(work) do
  sections[name] = function() time(name) end
  sections["flat_" .. name] = function() growth(name) end
end
bench.main(sections)
