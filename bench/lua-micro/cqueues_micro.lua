-- SPDX-License-Identifier: MIT
-- cqueues has no channel: they are made of its conditions, as its manual shows.
local bench = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local clock, scaled = bench.clock, bench.scaled
local poll = cqueues.poll
local unpack = table.unpack or unpack
local sections = {}

local function run_timed(name, items, start)
  local loop = cqueues.new()
  start(loop)
  local from = clock()
  assert(loop:loop())
  bench.result(name, (clock() - from) / items * 1e9, "ns")
end

local function yields(name, fibers)
  local each = math.floor(scaled(3e5) / fibers)
  run_timed(name, each * fibers, function(loop)
    for _ = 1, fibers do
      loop:wrap(function() for _ = 1, each do poll(0) end end)
    end
  end)
end
function sections.yield_2() yields("yield_2", 2) end
function sections.yield_1000() yields("yield_1000", 1000) end

local function channel(cap)
  return { cap = cap, first = 1, last = 0, readable = condition.new(), writable = condition.new() }
end
local function put(c, v)
  while c.last - c.first + 1 >= c.cap do c.writable:wait() end
  c.last = c.last + 1
  c[c.last] = v
  c.readable:signal()
end
local function get(c)
  while c.first > c.last do c.readable:wait() end
  local v = c[c.first]
  c[c.first] = nil
  c.first = c.first + 1
  c.writable:signal()
  return v
end
local function put_and_meet(c, v)
  put(c, v)
  while c.first <= c.last do c.writable:wait() end
end

function sections.rendezvous()
  local n = scaled(5e4)
  local a, b = channel(1), channel(1)
  run_timed("rendezvous", 2 * n, function(loop)
    loop:wrap(function()
      for i = 1, n do
        put_and_meet(a, i)
        assert(get(b) == i)
      end
    end)
    loop:wrap(function() for _ = 1, n do put_and_meet(b, get(a)) end end)
  end)
end

local function buffered(name, cap)
  local n = scaled(3e5)
  local c = channel(cap)
  run_timed(name, n, function(loop)
    loop:wrap(function() for i = 1, n do put(c, i) end end)
    loop:wrap(function() for i = 1, n do assert(get(c) == i) end end)
  end)
end
function sections.buffered_16() buffered("buffered_16", 16) end
function sections.buffered_100() buffered("buffered_100", 100) end

function sections.spawn()
  local batches = scaled(200)
  local done = 0
  local function f() done = done + 1 end
  local loop = cqueues.new()
  loop:wrap(function()
    local start = clock()
    for i = 1, batches do
      for _ = 1, 1000 do loop:wrap(f) end
      while done < i * 1000 do poll(0) end
    end
    bench.result("spawn", (clock() - start) / batches / 1000 * 1e9, "ns")
  end)
  assert(loop:loop())
end

function sections.parked()
  local n = scaled(1e5)
  local loop = cqueues.new()
  loop:wrap(function()
    local never = condition.new()
    local function f() never:wait() end
    bench.resident_each("parked", n, function()
      for _ = 1, n do loop:wrap(f) end
      poll(0)
      poll(0)
    end)
    never:signal()
  end)
  assert(loop:loop())
end

-- Waiting for one of k conditions; no value is passed.
local function choice(k)
  local n = scaled(k == 64 and 1e4 or 5e4)
  local conditions, random, waiting = {}, bench.random_indices(k), false
  for i = 1, k do conditions[i] = condition.new() end
  run_timed("choice_" .. k .. "_rebuilt", n, function(loop)
    loop:wrap(function()
      for _ = 1, n do
        waiting = true
        poll(unpack(conditions))
      end
    end)
    loop:wrap(function()
      for i = 1, n do
        while not waiting do poll(0) end
        waiting = false
        conditions[random[i % 1024 + 1]]:signal()
        poll(0)
      end
    end)
  end)
end
function sections.choice() for _, k in ipairs { 2, 8, 64 } do choice(k) end end

function sections.sleepers()
  local n = scaled(bench.count)
  local start = clock()
  math.randomseed(7)
  local loop = cqueues.new()
  local function f() cqueues.sleep(math.random()) end
  for _ = 1, n do loop:wrap(f) end
  assert(loop:loop())
  bench.result("sleepers_" .. bench.count, (clock() - start) * 1e3, "ms")
end

bench.main(sections)
