-- SPDX-License-Identifier: MIT
-- The user's own coroutines, pcall, metamethods and iterators inside fibers.

local t = require "harness"
local weft = require "weft"

local unpack = table.unpack or unpack

-- ---------------------------------------------------------------- generators

t.test("blocking inside coroutine.wrap", function()
  local next_value = coroutine.wrap(function()
    for i = 1, 3 do
      weft.sleep(0.001)
      coroutine.yield(i)
    end
    return "end"
  end)
  t.eq(next_value(), 1)
  t.eq(next_value(), 2)
  t.eq(next_value(), 3)
  t.eq(next_value(), "end")
end)

t.test("blocking inside coroutine.resume", function()
  local ch = weft.channel()
  local co = coroutine.create(function(a, b)
    local c = ch:get()
    local d, e = coroutine.yield(a + b + c)
    ch:put(d + e)
    return "done", nil
  end)
  weft.spawn(function()
    ch:put(100)
    t.eq(ch:get(), 7)
  end)
  t.returns(t.pack(true, 111), coroutine.resume(co, 5, 6))
  t.returns(t.pack(true, "done", nil), coroutine.resume(co, 3, 4))
  t.eq(coroutine.status(co), "dead")
  t.eq(coroutine.resume(co), false)
end)

t.test("other fibers run while a generator waits", function()
  local ran = false
  weft.spawn(function() ran = true end)
  coroutine.wrap(function() weft.sleep(0.002) end)()
  t.eq(ran, true)
end)

t.test("generators in generators", function()
  local function count(depth)
    return coroutine.wrap(function()
      if depth == 0 then
        for i = 1, 3 do
          weft.yield()
          coroutine.yield(i)
        end
      else
        local inner = count(depth - 1)
        while true do
          local v = inner()
          if not v then break end
          weft.sleep(0)
          coroutine.yield(v)
        end
      end
    end)
  end
  for _, depth in ipairs { 0, 1, 2, 10 } do
    local got, it = {}, count(depth)
    while true do
      local v = it()
      if not v then break end
      got[#got + 1] = v
    end
    t.same(got, { 1, 2, 3 }, "depth " .. depth)
  end
end)

t.test("a generator as an iterator that blocks", function()
  if not t.yields_in_iterator then t.skip "5.1 cannot block in an iterator" end
  local function lines()
    return coroutine.wrap(function()
      for i = 1, 5 do
        weft.sleep(0.0005)
        coroutine.yield(i, i * i)
      end
    end)
  end
  local sum = 0
  for i, square in lines() do sum = sum + i + square end
  t.eq(sum, 15 + 55)
end)

t.test("a generator that is shared by two fibers at different times", function()
  local gen = coroutine.wrap(function()
    while true do
      weft.yield()
      coroutine.yield(weft.self())
    end
  end)
  local me = weft.self()
  t.eq(gen(), me)
  local f = weft.spawn(function() return gen() end)
  t.eq(f:join(), f)
  t.eq(gen(), me)
end)

t.test("choose, scope, spawn and join inside a coroutine", function()
  local co = coroutine.wrap(function()
    local ch = weft.channel()
    local f = weft.spawn(function()
      ch:put("msg")
      return "joined"
    end)
    local a = weft.choose(ch:get_op(), weft.sleep_op(3600)):perform()
    local b = weft.scope(function(s)
      return s:spawn(function()
        weft.yield()
        return "child"
      end):join()
    end)
    return a, b, f:join()
  end)
  t.returns(t.pack("msg", "child", "joined"), co())
end)

t.test("values pass through yields and resumes whole", function()
  local co = coroutine.wrap(function(...)
    weft.yield()
    local r = t.pack(coroutine.yield(...))
    weft.yield()
    return unpack(r, 1, r.n)
  end)
  t.returns(t.pack(1, nil, nil), co(1, nil, nil))
  t.returns(t.pack(nil, 2, nil), co(nil, 2, nil))
end)

t.test("an error in a coroutine that had waited", function()
  local co = coroutine.create(function()
    weft.sleep(0.001)
    error("inside", 0)
  end)
  t.returns(t.pack(false, "inside"), coroutine.resume(co))
  t.eq(coroutine.status(co), "dead")
  local value = {}
  local gen = coroutine.wrap(function()
    weft.yield()
    error(value)
  end)
  t.raises_value(value, gen)
end)

t.test("a cancelled wait inside a coroutine raises there", function()
  local seen
  local f = weft.spawn(function()
    coroutine.wrap(function()
      local ok, e = t.pcall(weft.sleep, 3600)
      seen = not ok and weft.is_cancelled(e)
      error(e, 0)
    end)()
  end)
  t.settle(2)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  t.eq(seen, true)
end)

t.test("weft.self inside a coroutine is the fiber", function()
  local me = weft.self()
  t.eq(coroutine.wrap(function() return weft.self() end)(), me)
end)

t.test("a plain generator is as ever", function()
  local gen = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i) end end)
  for i = 1, 1000 do t.eq(gen(), i) end
  t.eq(gen(), nil)
  t.raises("dead coroutine", gen)
end)

-- ---------------------------------------------------------------- the coroutine table

t.test("status while it waits", function()
  local gate, co = weft.channel(), nil
  co = coroutine.create(function()
    t.eq(coroutine.status(co), "running")
    gate:get()
    coroutine.yield()
  end)
  t.eq(coroutine.status(co), "suspended")
  local f = weft.spawn(function() return coroutine.resume(co) end)
  weft.yield()
  t.ne(coroutine.status(co), "dead")
  gate:put(1)
  f:join()
  t.eq(coroutine.status(co), "suspended")
  coroutine.resume(co)
  t.eq(coroutine.status(co), "dead")
end)

t.test("resuming a coroutine that waits in another fiber is refused", function()
  local gate = weft.channel()
  local co = coroutine.create(function() return gate:get() end)
  local f = weft.spawn(function() return select(2, coroutine.resume(co)) end)
  weft.yield()
  local ok, e = coroutine.resume(co, "intruder")
  t.eq(ok, false)
  t.eq(type(e), "string")
  gate:put "its own"
  t.eq(f:join(), "its own")
end)

t.test("running", function()
  local main = coroutine.running()
  t.eq(type(main), "thread")
  local inner
  local co = coroutine.create(function() inner = coroutine.running() end)
  coroutine.resume(co)
  t.eq(inner, co)
  if not t.puc51 then
    local _, is_main = coroutine.running()
    if is_main ~= nil then t.eq(is_main, false) end
  end
  t.eq(coroutine.running(), main)
end)

t.test("isyieldable", function()
  if not coroutine.isyieldable then t.skip "not in this Lua" end
  t.eq(coroutine.isyieldable(), true)
  t.eq(coroutine.wrap(function() return coroutine.isyieldable() end)(), true)
end)

t.test("coroutine.yield outside any coroutine of the user's", function()
  -- The fiber is not the user's to yield from: that is refused, or gives way; it never hangs or crashes.
  local f = weft.async(function()
    coroutine.yield("to whom?")
    return "back"
  end)
  local ok, e = t.pcall(f.join, f)
  if ok then t.eq(e, "back") else t.match(tostring(e), "yield") end
end)

t.test("coroutine.close", function()
  if not coroutine.close then t.skip "not in this Lua" end
  local co = coroutine.create(function()
    weft.yield()
    coroutine.yield()
  end)
  coroutine.resume(co)
  t.eq(coroutine.close(co), true)
  t.eq(coroutine.status(co), "dead")
end)

t.test("bad arguments are refused as before", function()
  t.raises("bad argument #1 to '.-create'", function() coroutine.create(1) end)
  t.raises("bad argument #1 to '.-wrap'", function() coroutine.wrap("x") end)
  t.raises("bad argument #1 to '.-resume'", function() coroutine.resume(5) end)
  t.raises("bad argument #1 to '.-status'", function() coroutine.status({}) end)
end)

t.outside("the coroutine table is as before after the run", function()
  local before = {}
  for k, v in pairs(coroutine) do before[k] = v end
  weft.run(function()
    coroutine.wrap(function() weft.sleep(0.001) end)()
  end)
  t.same(coroutine, before)
  pcall(weft.run, function() error("x") end)
  t.same(coroutine, before)
  pcall(weft.run, function() weft.channel():get() end)
  t.same(coroutine, before)
end)

t.outside("a coroutine that outlives its run", function()
  local co
  weft.run(function()
    co = coroutine.wrap(function()
      weft.sleep(0.001)
      coroutine.yield(1)
      coroutine.yield(2)
    end)
    t.eq(co(), 1)
  end)
  t.eq(co(), 2)
end)

t.outside("a coroutine created before the run", function()
  local co = coroutine.create(function()
    coroutine.yield("before")
    weft.sleep(0.001)
    coroutine.yield("in the run")
  end)
  t.returns(t.pack(true, "before"), coroutine.resume(co))
  t.returns(t.pack(true, "in the run"), weft.run(function() return coroutine.resume(co) end))
end)

t.outside("functions of the coroutine table that were kept from before the run", function()
  -- weft cannot see these. A wait below them works or raises; its inner yield is never handed out.
  local wrap, resume = coroutine.wrap, coroutine.resume
  local function waits()
    weft.sleep(0.001)
    return "waited"
  end
  weft.run(function()
    local ok, v = t.pcall(wrap(waits))
    t.truthy((ok and v == "waited") or (not ok and tostring(v):find("coroutine")), tostring(v))
    ok, v = resume(coroutine.create(waits))
    t.truthy((ok and v == "waited") or (not ok and tostring(v):find("coroutine")), tostring(v))
    weft.sleep(0.001)
  end)
end)

-- ---------------------------------------------------------------- pcall

t.test("blocking in pcall", function()
  if not t.yields_across_pcall then t.skip "5.1: see weft.pcall" end
  t.returns(t.pack(true, "slept"), pcall(function()
    weft.sleep(0.001)
    return "slept"
  end))
  t.returns(t.pack(false, "raised"), pcall(function()
    weft.sleep(0.001)
    error("raised", 0)
  end))
  local ch = weft.channel()
  weft.spawn(function() ch:put(nil) end)
  t.returns(t.pack(true, nil), pcall(ch.get, ch))
end)

t.test("blocking in xpcall", function()
  if not t.yields_across_pcall then t.skip "5.1: see weft.xpcall" end
  t.returns(t.pack(true, 1), xpcall(function()
    weft.sleep(0.001)
    return 1
  end, debug.traceback))
  local ok, e = xpcall(function()
    weft.sleep(0.001)
    error("traced")
  end, debug.traceback)
  t.eq(ok, false)
  t.match(e, "traced.*stack traceback")
end)

t.test("blocking in pcall in pcall in pcall", function()
  if not t.yields_across_pcall then t.skip "5.1: see weft.pcall" end
  t.returns(t.pack(true, true, true, "deep"), pcall(pcall, pcall, function()
    weft.sleep(0.0005)
    return "deep"
  end))
end)

t.test("weft.pcall may be blocked in on every Lua", function()
  t.returns(t.pack(true, "slept", nil), weft.pcall(function()
    weft.sleep(0.001)
    return "slept", nil
  end))
  t.returns(t.pack(false, "raised"), weft.pcall(function()
    weft.sleep(0.001)
    error("raised", 0)
  end))
  local value = {}
  t.returns(t.pack(false, value), weft.pcall(error, value))
  t.returns(t.pack(true, 1, nil, 3), weft.pcall(function(...) return ... end, 1, nil, 3))
  t.returns(t.pack(true, true, false, "x"), weft.pcall(weft.pcall, weft.pcall, function()
    weft.yield()
    error("x", 0)
  end))
end)

t.test("weft.xpcall", function()
  local ok, e = weft.xpcall(function()
    weft.sleep(0.001)
    error("traced")
  end, function(m) return "handled: " .. m .. debug.traceback("", 2) end)
  t.eq(ok, false)
  t.match(e, "^handled: .*traced")
  t.returns(t.pack(true, 3), weft.xpcall(function(a, b)
    weft.yield()
    return a + b
  end, tostring, 1, 2))
end)

t.test("weft.pcall of something that is no function", function()
  local ok, e = weft.pcall(nil)
  t.eq(ok, false)
  t.match(e, "attempt to call")
  t.eq((weft.pcall(42)), false)
end)

t.outside("weft.pcall outside run is pcall", function()
  t.returns(t.pack(true, 5), weft.pcall(function() return 5 end))
  t.returns(t.pack(false, "e"), weft.pcall(error, "e", 0))
end)

t.test("weft.pcall inside a generator", function()
  local gen = coroutine.wrap(function()
    local ok, e = weft.pcall(function()
      coroutine.yield("from inside pcall")
      weft.sleep(0.001)
      error("x", 0)
    end)
    coroutine.yield(ok)
    return e
  end)
  t.eq(gen(), "from inside pcall")
  t.eq(gen(), false)
  t.eq(gen(), "x")
end)

-- ---------------------------------------------------------------- metamethods, C frames

t.test("blocking in a metamethod", function()
  if not t.yields_in_metamethod then t.skip "5.1 cannot block in a metamethod" end
  local slow = setmetatable({}, {
    __index = function(_, k)
      weft.sleep(0.0005)
      return k .. "!"
    end,
    __newindex = function() weft.sleep(0.0005) end,
    __add = function(_, n)
      weft.sleep(0.0005)
      return n + 1
    end,
    __call = function(_, n)
      weft.sleep(0.0005)
      return n * 2
    end,
    __eq = function()
      weft.sleep(0.0005)
      return true
    end,
    __lt = function()
      weft.sleep(0.0005)
      return true
    end,
    __concat = function(_, s)
      weft.sleep(0.0005)
      return "c" .. s
    end,
  })
  t.eq(slow.key, "key!")
  slow.x = 1
  t.eq(slow + 1, 2)
  t.eq(slow(4), 8)
  t.eq(slow .. "at", "cat")
  local other = setmetatable({}, getmetatable(slow))
  t.truthy(slow == other)
  t.truthy(slow < other)
end)

t.test("where Lua cannot yield the error is clear, and the fiber goes on", function()
  -- The comparator of table.sort is called from C on every Lua.
  local ok, e = t.pcall(table.sort, { 3, 1, 2 }, function(a, b)
    weft.sleep(0.001)
    return a < b
  end)
  t.eq(ok, false)
  t.eq(type(e), "string")
  t.match(e, "yield")
  weft.sleep(0.001)
  ok, e = t.pcall(string.gsub, "abc", ".", function() weft.channel():get() end)
  t.eq(ok, false)
  t.match(e, "yield")
  weft.sleep(0.001)
end)

t.test("what does not wait works below C frames", function()
  local ch = weft.channel(10)
  string.gsub("abc", ".", function(c) ch:put(c) end)
  t.eq(#ch, 3)
  local list = { "c", "a", "b" }
  table.sort(list, function(a, b)
    ch:try_get()
    return a < b
  end)
  t.same(list, { "a", "b", "c" })
end)

t.test("to-be-closed variables may block", function()
  if not t.has_close then t.skip "not in this Lua" end
  local log = {}
  local f = assert(load([[
    local weft, log = ...
    do
      local guard <close> = setmetatable({}, { __close = function()
        weft.sleep(0.001)
        log[#log + 1] = "closed"
      end })
      log[#log + 1] = "body"
    end
    log[#log + 1] = "after"
  ]]))
  f(weft, log)
  t.same(log, { "body", "closed", "after" })
end)

t.test("to-be-closed variables run when a fiber is cancelled", function()
  if not t.has_close then t.skip "not in this Lua" end
  local log = {}
  local f = weft.spawn(assert(load([[
    local weft, log = ...
    local guard <close> = setmetatable({}, { __close = function(_, e)
      log[#log + 1] = weft.is_cancelled(e)
    end })
    weft.sleep(3600)
  ]])), weft, log)
  weft.yield()
  f:cancel()
  t.pcall(f.join, f)
  t.same(log, { true })
end)

t.test("a module that waits while require loads it: a clear error", function()
  local waits = true
  package.preload["weft-test-module"] = function()
    if waits then weft.sleep(0.001) end
    return "loaded"
  end
  local ok, e = t.pcall(require, "weft-test-module")
  package.loaded["weft-test-module"] = nil -- 5.1 leaves a mark there
  waits = false
  t.eq(ok, false)
  t.match(e, "yield")
  t.eq(require "weft-test-module", "loaded")
  package.preload["weft-test-module"], package.loaded["weft-test-module"] = nil, nil
end)
