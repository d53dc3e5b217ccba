-- SPDX-License-Identifier: MIT
-- weft.pool, weft.map and weft.stream_map.

local t = require "harness"
local weft = require "weft"

t.test("results of a pool are in the order of go", function()
  local p = weft.pool { limit = 3 }
  for i = 1, 10 do
    t.eq(p:go(function(x)
      for _ = 1, 10 - i do weft.yield() end
      return x * x, "more"
    end, i), true)
  end
  local results, n = p:wait()
  t.same(results, { 1, 4, 9, 16, 25, 36, 49, 64, 81, 100 })
  t.eq(n, 10)
  t.returns(t.pack({}, 0), p:wait())      -- and it can be used again
  p:go(function() return "again" end)
  t.same(p:wait(), { "again" })
end)

t.test("a result of nil leaves a hole, and n counts it", function()
  local p = weft.pool()
  p:go(function() return 1 end)
  p:go(function() end)
  p:go(function() return 3 end)
  t.returns(t.pack({ 1, nil, 3 }, 3), p:wait())
end)

t.test("at most limit run, and go waits", function()
  local p, running, most = weft.pool { limit = 2 }, 0, 0
  for _ = 1, 8 do
    p:go(function()
      running = running + 1
      most = math.max(most, running)
      weft.yield()
      running = running - 1
    end)
    t.between(running, 0, 2)
  end
  p:wait()
  t.eq(most, 2)
end)

t.test("the first error cancels the rest", function()
  local p, value, cancelled = weft.pool { limit = 4 }, { "failed" }, 0
  local function sleeper()
    local ok, e = t.pcall(weft.sleep, 3600)
    if not ok and weft.is_cancelled(e) then cancelled = cancelled + 1 end
    error(e, 0)
  end
  p:go(sleeper)
  p:go(sleeper)
  local function the_culprit() error(value) end
  p:go(function()
    weft.yield()
    the_culprit()
  end)
  t.settle(5)
  t.eq(p:go(function() t.fail "it has failed" end), false)
  t.raises_value(value, p.wait, p)
  t.eq(cancelled, 2)
  t.contains(weft.error_info(value).traceback, "the_culprit")
  p:go(function() return "again" end)
  t.same(p:wait(), { "again" })
end)

t.test("go that waits for a place is told that the pool has failed", function()
  local p, started = weft.pool { limit = 1 }, false
  p:go(function()
    weft.yield()
    error("failed", 0)
  end)
  t.eq(p:go(function() started = true end), false)
  t.raises_value("failed", p.wait, p)
  t.eq(started, false)
end)

t.test("errors = 'all': the rest goes on, later errors beside the first", function()
  local p, n = weft.pool { limit = 2, errors = "all" }, 0
  local values = { { 1 }, { 2 } }
  for i = 1, 6 do
    p:go(function()
      weft.yield()
      n = n + 1
      if values[i / 3] then error(values[i / 3]) end
    end)
  end
  t.raises_value(values[1], p.wait, p)
  t.eq(n, 6)
  local others = weft.error_info(values[1]).others
  t.eq(#others, 1)
  t.eq(others[1].value, values[2])
end)

t.test("an error that no wait takes is raised by the scope", function()
  t.raises_value("lost?", weft.scope, function()
    local p = weft.pool()
    p:go(function() error("lost?", 0) end)
  end)
end)

t.test("the functions run in the scope of the pool", function()
  local ended
  weft.scope(function()
    local p = weft.pool()
    weft.scope(function()
      p:go(function()
        for _ = 1, 5 do weft.yield() end
        ended = true
      end)
    end)
    t.eq(ended, nil, "the inner scope did not wait for it")
  end)
  t.eq(ended, true)
end)

t.test("a pool in a scope that is cancelled", function()
  local p
  weft.scope(function(s)
    p = weft.pool { limit = 1 }
    p:go(function() weft.sleep(3600) end)
    weft.spawn(function() s:cancel() end)
    p:wait()
  end)
  t.truthy(weft.is_cancelled(t.raises(nil, p.wait, p)))
end)

t.test("wait_op in a choice", function()
  local p = weft.pool()
  p:go(function() weft.sleep(0.02) return "done" end)
  t.eq(weft.timeout(p:wait_op(), 0.001):perform(), nil)
  t.same(weft.timeout(p:wait_op(), 3600):perform(), { "done" })
end)

t.test("misuse of a pool", function()
  t.misuse("unknown option 'size' of pool", function() weft.pool { size = 3 } end)
  t.misuse("bad option 'limit' of pool", function() weft.pool { limit = 0 } end)
  t.misuse("bad option 'limit' of pool %(number expected, got string%)", function() weft.pool { limit = "2" } end)
  t.misuse("bad option 'errors' of pool", function() weft.pool { errors = true } end)
  t.misuse("bad argument #1 to 'pool' %(table expected, got number%)", function() weft.pool(3) end)
  t.misuse("bad argument #1 to 'go'", function() weft.pool():go(5) end)
end)

t.outside("a pool outside a runtime", function()
  t.misuse("weft.run", function() weft.pool() end)
end)

t.test("many functions in a pool", { memory = 2048 }, function()
  local p, n = weft.pool { limit = 10 }, t.scale(5000, 100)
  for i = 1, n do
    p:go(function()
      if i % 7 == 0 then weft.yield() end
      return i
    end)
  end
  local results = p:wait()
  for i = 1, n do if results[i] ~= i then t.fail("wrong result " .. i) end end
end)

-- ---------------------------------------------------------------- map

t.test("map: results in order, at most limit at a time", function()
  local running, most = 0, 0
  local results = weft.map({ "a", "b", "c", "d", "e" }, function(v, i)
    running = running + 1
    most = math.max(most, running)
    for _ = 1, 6 - i do weft.yield() end
    running = running - 1
    return v .. i
  end, { limit = 2 })
  t.same(results, { "a1", "b2", "c3", "d4", "e5" })
  t.eq(most, 2)
  t.same(weft.map({ 1, 2, 3 }, function(v) return v + 1 end), { 2, 3, 4 })
  t.same(weft.map({}, error), {})
end)

t.test("map: the first error cancels the rest and is raised", function()
  local value, n = {}, 0
  t.raises_value(value, weft.map, { 1, 2, 3, 4 }, function(v)
    n = n + 1
    if v == 2 then error(value) end
    weft.sleep(3600)
  end, { limit = 3 })
  t.between(n, 2, 3)
end)

t.test("map: cancelled, it raises", function()
  local f = weft.spawn(function() weft.map({ 1, 2 }, function() weft.sleep(3600) end) end)
  t.settle(3)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
end)

t.test("map: misuse", function()
  t.misuse("bad argument #1 to 'map' %(table expected, got no value%)", function() weft.map() end)
  t.misuse("bad argument #2 to 'map' %(function expected, got no value%)", function() weft.map {} end)
  t.misuse("bad argument #3 to 'map' %(table expected, got number%)", function() weft.map({}, print, 3) end)
  t.misuse("unknown option 'n' of map", function() weft.map({}, print, { n = 3 }) end)
  t.misuse("bad option 'limit' of map", function() weft.map({}, print, { limit = -1 }) end)
end)

-- ---------------------------------------------------------------- stream_map

local function count_to(n)
  local i = 0
  return function()
    if i < n then
      i = i + 1
      return i
    end
  end
end

local function collect(next_value)
  local list = {}
  while true do
    local v = next_value()
    if v == nil then return list end
    list[#list + 1] = v
  end
end

t.test("stream_map: in order, and ends", function()
  local next_value = weft.stream_map(count_to(20), function(i)
    for _ = 1, (i * 7) % 5 do weft.yield() end
    return i * 10
  end, { limit = 4 })
  local got = collect(next_value)
  t.eq(#got, 20)
  for i = 1, 20 do t.eq(got[i], i * 10) end
  t.eq(next_value(), nil)
end)

t.test("stream_map: at most limit ahead of the reader", function()
  local taken, read = 0, 0
  local next_value = weft.stream_map(function()
    taken = taken + 1
    if taken <= 20 then return taken end
  end, function(i) return i end, { limit = 3 })
  t.settle(10)
  t.eq(taken, 3)
  for _ = 1, 20 do
    t.truthy(next_value())
    read = read + 1
    t.settle(3)
    t.between(taken - read, 0, 3)
  end
  t.eq(next_value(), nil)
end)

t.test("stream_map of a channel", function()
  local ch = weft.channel()
  weft.spawn(function()
    for i = 1, 5 do ch:put(i) end
    ch:close()
  end)
  t.same(collect(weft.stream_map(ch, function(v) return -v end)), { -1, -2, -3, -4, -5 })
end)

t.test("stream_map: an error of the function", function()
  local value, cancelled = {}, 0
  local next_value = weft.stream_map(count_to(10), function(i)
    if i == 2 then error(value) end
    if i > 2 then
      local ok = t.pcall(weft.sleep, 3600)
      if not ok then cancelled = cancelled + 1 end
    end
    return i
  end, { limit = 4 })
  t.eq(next_value(), 1)
  t.settle(3)
  t.raises_value(value, next_value)
  t.eq(next_value(), nil)
  t.settle(5)
  t.truthy(cancelled >= 1)
end)

t.test("stream_map: an error of the iterator comes in its place", function()
  local step = count_to(3)
  local next_value = weft.stream_map(function() return step() or error("broken", 0) end, function(i) return i end)
  for i = 1, 3 do t.eq(next_value(), i) end
  t.raises_value("broken", next_value)
  t.eq(next_value(), nil)
end)

t.test("stream_map: a nil result raises", function()
  local next_value = weft.stream_map(count_to(3), function() return nil end)
  t.raises("nil result", next_value)
end)

t.test("stream_map: a loop that is left", function()
  if not t.yields_in_iterator then t.skip "no waiting in an iterator" end
  local n = 0
  weft.scope(function()
    for v in weft.stream_map(count_to(1000), function(i) n = n + 1 return i end, { limit = 5 }) do
      if v == 3 then break end
    end
  end)
  t.between(n, 3, 10)
end)

t.test("stream_map: cancelled while it waits", function()
  local f = weft.spawn(function()
    local next_value = weft.stream_map(count_to(3), function() weft.sleep(3600) end)
    next_value()
  end)
  t.settle(5)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
end)

t.test("stream_map: misuse", function()
  t.misuse("bad argument #1 to 'stream_map' %(function expected, got no value%)", function() weft.stream_map() end)
  t.misuse("bad argument #2 to 'stream_map'", function() weft.stream_map(print) end)
  t.misuse("unknown option 'n' of stream_map", function() weft.stream_map(print, print, { n = 1 }) end)
end)
