-- SPDX-License-Identifier: MIT
-- The stock interpreter: the units that everything is measured in (pair, wrap_call, a bare coroutine), and
-- beside them the smallest scheduler that one writes by hand in Lua.
local bench = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local clock, scaled = bench.clock, bench.scaled
local create, resume, yield, wrap = coroutine.create, coroutine.resume, coroutine.yield, coroutine.wrap
local sections = {}

function sections.pair()
  local n = scaled(3e6)
  local co = create(function() while true do yield() end end)
  local start = clock()
  for _ = 1, n do resume(co) end
  bench.result("pair", (clock() - start) / n * 1e9, "ns")
end

function sections.wrap_call()
  local n = scaled(5e5)
  local done = 0
  local function f() done = done + 1 end
  local start = clock()
  for _ = 1, n do wrap(f)() end
  bench.result("wrap_call", (clock() - start) / n * 1e9, "ns")
  assert(done == n)
end

function sections.parked()
  local n = scaled(1e5)
  local keep = {}
  for i = 1, n do keep[i] = false end
  local function f() yield() end
  bench.resident_each("parked", n, function()
    for i = 1, n do
      keep[i] = create(f)
      resume(keep[i])
    end
  end)
end

-- Run queue: two arrays, swapped each turn.
local now, later, count = {}, {}, 0
local function ready(co)
  count = count + 1
  later[count] = co
end
local function run()
  while count > 0 do
    local n = count
    now, later, count = later, now, 0
    for i = 1, n do
      local ok, problem = resume(now[i])
      if not ok then error(problem) end
    end
  end
end
local function run_timed(name, items)
  local start = clock()
  run()
  bench.result(name, (clock() - start) / items * 1e9, "ns")
end
local function spawn(f)
  local co = create(f)
  ready(co)
  return co
end

local function yields(name, fibers)
  local each = math.floor(scaled(2e6) / fibers)
  for _ = 1, fibers do
    local co
    co = spawn(function()
      for _ = 1, each do
        ready(co)
        yield()
      end
    end)
  end
  run_timed(name, each * fibers)
end
function sections.yield_2() yields("yield_2", 2) end
function sections.yield_1000() yields("yield_1000", 1000) end

-- A channel with at most one waiting fiber on each side.
local function channel(cap) return { cap = cap, head = 0, count = 0 } end
local function keep(c, v)
  c[(c.head + c.count) % c.cap] = v
  c.count = c.count + 1
end
local function put(c, v, me)
  local getter = c.getter
  if getter then
    c.getter, c.given = nil, v
    ready(getter)
  elseif c.count < c.cap then
    keep(c, v)
  else
    c.putter, c.value = me, v
    yield()
  end
end
local function get(c, me)
  local putter, v = c.putter, c.value
  if c.count > 0 then
    local head = c.head
    v, c.head, c.count = c[head], (head + 1) % c.cap, c.count - 1
    if putter then keep(c, c.value) end
  elseif not putter then
    c.getter = me
    yield()
    return c.given
  end
  if putter then
    c.putter = nil
    ready(putter)
  end
  return v
end

function sections.rendezvous()
  local n = scaled(1e6)
  local a, b = channel(0), channel(0)
  local left, right
  left = spawn(function()
    for i = 1, n do
      put(a, i, left)
      assert(get(b, left) == i)
    end
  end)
  right = spawn(function() for _ = 1, n do put(b, get(a, right), right) end end)
  run_timed("rendezvous", 2 * n)
end

local function buffered(name, cap)
  local n = scaled(2e6)
  local c = channel(cap)
  local producer, consumer
  producer = spawn(function() for i = 1, n do put(c, i, producer) end end)
  consumer = spawn(function() for i = 1, n do assert(get(c, consumer) == i) end end)
  run_timed(name, n)
end
function sections.buffered_16() buffered("buffered_16", 16) end
function sections.buffered_100() buffered("buffered_100", 100) end

function sections.spawn()
  local batches = scaled(300)
  local done = 0
  local function f() done = done + 1 end
  local start = clock()
  for _ = 1, batches do
    for _ = 1, 1000 do ready(create(f)) end
    run()
  end
  bench.result("spawn", (clock() - start) / batches / 1000 * 1e9, "ns")
  assert(done == batches * 1000)
end

-- Choice: one record for a wait, queued at every channel; stale ones are skipped when they come to the front.
local function choice(k)
  local n = scaled(k == 64 and 5e4 or 3e5)
  local queues, random = {}, bench.random_indices(k)
  for i = 1, k do queues[i] = { first = 1, last = 0 } end
  local function front(q)
    while q.first <= q.last and q[q.first].fired do
      q[q.first] = nil
      q.first = q.first + 1
    end
    return q[q.first]
  end
  local chooser, producer
  local got = 0
  chooser = spawn(function()
    for _ = 1, n do
      local wait = { co = chooser }
      for i = 1, k do
        local q = queues[i]
        front(q)
        q.last = q.last + 1
        q[q.last] = wait
      end
      yield()
      got = got + wait.value
    end
  end)
  producer = spawn(function()
    for i = 1, n do
      local wait = front(queues[random[i % 1024 + 1]])
      wait.fired, wait.value = true, 1
      ready(wait.co)
      ready(producer)
      yield()
    end
  end)
  run_timed("choice_" .. k .. "_rebuilt", n)
  assert(got == n)
end
function sections.choice() for _, k in ipairs { 2, 8, 64 } do choice(k) end end

bench.main(sections)
