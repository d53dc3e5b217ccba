-- SPDX-License-Identifier: MIT
-- weft.once and weft.oneshot.

local t = require "harness"
local weft = require "weft"

t.test("once runs once and gives the same results", function()
  local n = 0
  local f = weft.once(function(...)
    n = n + 1
    weft.yield()
    return n, nil, (...), nil
  end)
  local fibers = {}
  for i = 1, 5 do fibers[i] = weft.spawn(function() return f("argument " .. i) end) end
  for i = 1, 5 do t.returns(t.pack(1, nil, "argument 1", nil), fibers[i]:join()) end
  t.returns(t.pack(1, nil, "argument 1", nil), f "later")
  t.eq(n, 1)
end)

t.test("once: an error is raised to all", function()
  local value, n = { "failed" }, 0
  local function the_culprit() error(value) end
  local f = weft.once(function()
    n = n + 1
    weft.yield()
    the_culprit()
  end)
  local fibers = {}
  for i = 1, 3 do fibers[i] = weft.async(function() f() end) end
  for i = 1, 3 do t.raises_value(value, fibers[i].join, fibers[i]) end
  t.raises_value(value, f)
  t.eq(n, 1)
  t.contains(weft.error_info(value).traceback, "the_culprit")
end)

t.test("once: when its runner is cancelled the next runs it", function()
  local n = 0
  local f = weft.once(function()
    n = n + 1
    weft.sleep(n == 1 and 60 or 0)
    return n
  end)
  local first = weft.spawn(function() f() end)
  t.settle(2)
  local second = weft.spawn(function() return f() end)
  local third = weft.spawn(function() return f() end)
  t.settle(2)
  first:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, first.join, first)))
  t.eq(second:join(), 2)
  t.eq(third:join(), 2)
end)

t.test("once: a waiter that is cancelled leaves the others alone", function()
  local go = weft.channel()
  local f = weft.once(function() return go:get() end)
  local fibers = {}
  for i = 1, 3 do fibers[i] = weft.spawn(function() return f() end) end
  t.settle(2)
  fibers[2]:cancel()
  go:put "value"
  t.eq(fibers[1]:join(), "value")
  t.eq(fibers[3]:join(), "value")
  t.truthy(weft.is_cancelled(t.raises(nil, fibers[2].join, fibers[2])))
end)

t.test("misuse of once", function()
  t.misuse("bad argument #1 to 'once' %(function expected, got no value%)", function() weft.once() end)
  local f
  f = weft.once(function() f() end)
  t.raises("calls the once itself", f)
  local callable = weft.once(setmetatable({}, { __call = function() return "called" end }))
  t.eq(callable(), "called")
end)

t.outside("once needs no fiber where nothing waits", function()
  local f = weft.once(function() return 5 end)
  t.eq(f(), 5)
  t.eq(f(), 5)
end)

-- ---------------------------------------------------------------- oneshot

t.test("a oneshot has many getters", function()
  local o, fibers = weft.oneshot(), {}
  for i = 1, 3 do fibers[i] = weft.spawn(function() return o:get() end) end
  t.settle(2)
  t.eq(o:is_set(), false)
  o:set "value"
  t.eq(o:is_set(), true)
  for i = 1, 3 do t.returns(t.pack "value", fibers[i]:join()) end
  t.returns(t.pack "value", o:get())
  t.returns(t.pack(true, "value"), o:get_op():try())
end)

t.test("a oneshot of nil", function()
  local o = weft.oneshot()
  t.eq(o:get_op():try(), false)
  o:set(nil)
  t.returns(t.pack(nil), o:get())
end)

t.test("a oneshot is set once", function()
  local o = weft.oneshot()
  o:set(1)
  t.misuse("set already", function() o:set(2) end)
  t.eq(o:get(), 1)
  t.eq(tostring(o), "weft.oneshot: set")
end)

t.test("a future of a oneshot, in a choice", function()
  local o = weft.oneshot()
  weft.spawn(function()
    weft.sleep(0.001)
    o:set(42)
  end)
  t.eq(weft.timeout(o:get_op(), 3600):perform(), 42)
end)
