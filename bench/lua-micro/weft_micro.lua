-- SPDX-License-Identifier: MIT
local bench = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local weft = require "weft"
local clock, scaled = bench.clock, bench.scaled
local spawn, yield, channel, choose, sleep = weft.spawn, weft.yield, weft.channel, weft.choose, weft.sleep
local sections = {}

-- CPU time an item, from the moment `start` has queued its fibers until all have ended.
local function run_timed(name, items, start)
  local from
  weft.run(function()
    start()
    from = clock()
  end)
  bench.result(name, (clock() - from) / items * 1e9, "ns")
end

local function yields(name, fibers)
  local each = math.floor(scaled(2e6) / fibers)
  run_timed(name, each * fibers, function()
    for _ = 1, fibers do
      spawn(function() for _ = 1, each do yield() end end)
    end
  end)
end
function sections.yield_2() yields("yield_2", 2) end
function sections.yield_1000() yields("yield_1000", 1000) end

function sections.rendezvous()
  local n = scaled(1e6)
  local a, b = channel(), channel()
  run_timed("rendezvous", 2 * n, function()
    spawn(function()
      for i = 1, n do
        a:put(i)
        assert(b:get() == i)
      end
    end)
    spawn(function() for _ = 1, n do b:put(a:get()) end end)
  end)
end

local function buffered(name, cap)
  local n = scaled(2e6)
  local c = channel(cap)
  run_timed(name, n, function()
    spawn(function() for i = 1, n do c:put(i) end end)
    spawn(function() for i = 1, n do assert(c:get() == i) end end)
  end)
end
function sections.buffered_16() buffered("buffered_16", 16) end
function sections.buffered_100() buffered("buffered_100", 100) end

function sections.spawn()
  local batches = scaled(1000)
  local done = 0
  local function f() done = done + 1 end
  weft.run(function()
    local start = clock()
    for _ = 1, batches do
      for _ = 1, 1000 do spawn(f) end
      yield()
    end
    bench.result("spawn", (clock() - start) / batches / 1000 * 1e9, "ns")
    assert(done == batches * 1000)
  end)
end

function sections.parked()
  local n = scaled(1e5)
  weft.run(function()
    local never = channel()
    local function f() never:get() end
    bench.resident_each("parked", n, function()
      for _ = 1, n do spawn(f) end
      yield()
    end)
    never:close()
  end)
end

-- One fiber chooses and has to park; the other fires a random channel and goes behind it.
local function choice(name, k, rebuilt)
  local n = scaled(k == 64 and 1e5 or 5e5)
  local channels, ops, random = {}, {}, bench.random_indices(k)
  for i = 1, k do
    channels[i] = channel()
    ops[i] = channels[i]:get_op()
  end
  local prebuilt = choose(ops)
  local function rebuild()
    for i = 1, k do ops[i] = channels[i]:get_op() end
    return choose(ops)
  end
  local got = 0
  run_timed(name, n, function()
    if rebuilt then
      spawn(function() for _ = 1, n do got = got + rebuild():perform() end end)
    else
      spawn(function() for _ = 1, n do got = got + prebuilt:perform() end end)
    end
    spawn(function()
      for i = 1, n do
        channels[random[i % 1024 + 1]]:put(1)
        yield()
      end
    end)
  end)
  assert(got == n)
end
function sections.choice()
  for _, k in ipairs { 2, 8, 64 } do
    choice("choice_" .. k, k, false)
    choice("choice_" .. k .. "_rebuilt", k, true)
  end
end

function sections.sleepers()
  local n = scaled(bench.count)
  local start = clock()
  math.randomseed(7)
  local function f() sleep(math.random()) end
  weft.run(function() for _ = 1, n do spawn(f) end end)
  bench.result("sleepers_" .. bench.count, (clock() - start) * 1e3, "ms")
end

-- Two arms are lost in every choice: a channel that nobody writes to, and a far timer.
function sections.lost_arms()
  weft.run(function()
    local data, never = channel(), channel()
    local op = choose(data:get_op(), never:get_op(), weft.sleep_op(3600))
    local function rounds(n)
      local producer = spawn(function()
        for i = 1, n do
          data:put(i)
          yield()
        end
      end)
      for i = 1, n do assert(op:perform() == i) end
      producer:join()
      collectgarbage()
      collectgarbage()
      return bench.resident()
    end
    local before = rounds(scaled(5e4))
    bench.result("lost_arms", (rounds(scaled(5e6)) - before) / 1024, "KiB")
  end)
end

bench.main(sections)
