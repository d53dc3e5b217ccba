-- SPDX-License-Identifier: MIT
-- The collector in the middle of everything.

local t = require "harness"
local weft = require "weft"

local function full()
  if t.jit then require "jit".flush() end  -- compiled code keeps the functions that it was made of, and what they hold
  collectgarbage()
  collectgarbage()
end

t.test("a parked fiber is kept although nobody holds its handle", function()
  local ch, sum = weft.channel(), 0
  for _ = 1, 100 do
    weft.spawn(function()
      local own = { "only this fiber holds this" }
      local n = ch:get()
      sum = sum + n + #own
    end)
  end
  weft.yield()
  full()
  for _ = 1, 100 do ch:put(1) end
  t.settle(2)
  t.eq(sum, 200)
end)

t.test("a sleeping fiber is kept", function()
  local woken
  weft.spawn(function()
    weft.sleep(0.005)
    woken = true
  end)
  weft.yield()
  full()
  t.eventually(function() return woken end)
  full()
end)

t.test("a runnable fiber is kept, with its arguments", function()
  local got
  weft.spawn(function(a, b) got = a[1] + b[1] end, { 1 }, { 2 })
  full()
  weft.yield()
  t.eq(got, 3)
end)

t.test("a channel that only a parked fiber holds is kept", function()
  local out = weft.channel(1)
  weft.spawn(function()
    local ch = weft.channel()
    weft.spawn(function()
      weft.sleep(0.005)
      ch:put("through")
    end)
    out:put(ch:get())
  end)
  weft.yield()
  full()
  t.eq(out:get(), "through")
end)

t.test("messages in a buffer are kept, and freed with it", function()
  local weak = setmetatable({}, { __mode = "v" })
  local ch = weft.channel(10)
  for i = 1, 10 do
    local message = { i }
    weak[i] = message
    ch:put(message)
  end
  full()
  for i = 1, 5 do t.eq(ch:get()[1], i) end
  full()
  t.eq(weak[1], nil)
  t.eq(weak[5], nil)
  t.truthy(weak[6])
  ch = nil                                -- luacheck: ignore 311
  full()
  t.eq(weak[6], nil)
end)

t.test("a got message is not kept by the channel", function()
  local weak = setmetatable({}, { __mode = "v" })
  for _, size in ipairs { 0, 1, math.huge } do
    local ch = weft.channel(size)
    weft.spawn(function()
      local m = {}
      weak[1] = m
      ch:put(m)
    end):name("putter")
    ch:get()
    t.settle(2)
    full()
    t.eq(weak[1], nil, "size " .. size)
    t.eq(#ch, 0)
  end
end)

t.test("the message of a lost put arm is not kept", function()
  local weak = setmetatable({}, { __mode = "v" })
  local ch = weft.channel()
  local function lose()
    local m = {}
    weak[1] = m
    weft.choose(ch:put_op(m), weft.sleep_op(0.0005)):perform()
  end
  lose()
  full()
  t.eq(weak[1], nil)
  t.eq(ch:try_get(), false)
end)

t.test("a finished fiber's results live as long as its handle", function()
  local weak = setmetatable({}, { __mode = "v" })
  local f = weft.spawn(function()
    local r = {}
    weak[1] = r
    return r
  end)
  weft.yield()
  full()
  t.truthy(weak[1])
  t.eq(f:join(), weak[1])
  f = nil                                 -- luacheck: ignore 311
  full()
  t.eq(weak[1], nil)
end)

t.test("a finished fiber's handle is collected", function()
  local weak = setmetatable({}, { __mode = "v" })
  for i = 1, 10 do weak[i] = weft.spawn(function() end) end
  t.settle(2)
  full()
  for i = 1, 10 do t.eq(weak[i], nil) end
end)

t.test("a fiber's locals are freed when it has ended, although its thread is reused", function()
  local weak = setmetatable({}, { __mode = "v" })
  local f = weft.spawn(function()
    local a, b, c = {}, {}, {}
    weak[1], weak[2], weak[3] = a, b, c
    weft.yield()
    return #a + #b + #c
  end)
  f:join()
  full()
  t.eq(weak[1], nil)
  t.eq(weak[2], nil)
  t.eq(weak[3], nil)
end)

t.test("the functions of a fiber and of its spawner are freed when it has ended", function()
  local weak = setmetatable({}, { __mode = "k" })
  local function spawner()
    local a, b = {}, {}
    weak[a], weak[b] = "of the fiber", "of the spawner"
    weft.scope(function(s)
      s:spawn(function() return a end)
      return b
    end)
  end
  spawner()
  full()
  for _, whose in pairs(weak) do t.fail("kept: a function " .. whose) end
end)

t.test("the values of an operation are freed with it", function()
  local weak = setmetatable({}, { __mode = "v" })
  local function build()
    local m = {}
    weak[1] = m
    return weft.choose(weft.channel():put_op(m), weft.sleep_op(1)):wrap(function() return m end)
  end
  local op = build()
  full()
  t.truthy(weak[1])
  t.truthy(op)
  op = nil                                -- luacheck: ignore 311
  full()
  t.eq(weak[1], nil)
end)

t.test("a cycle of channel, operation and wrap is collected", function()
  local weak = setmetatable({}, { __mode = "v" })
  local function build()
    local ch = weft.channel(2)
    local op
    op = ch:get_op():wrap(function() return ch, op end)
    weak[1] = op
    weak[2] = ch
  end
  build()
  full()
  full()
  t.eq(weak[1], nil)
  t.eq(weak[2], nil)
end)

t.outside("the fibers of a finished run are freed", function()
  local weak = setmetatable({}, { __mode = "v" })
  local ch = weft.channel()
  pcall(weft.run, function()
    for i = 1, 20 do
      weft.spawn(function()
        local own = {}
        weak[i] = own
        ch:get()
        return own
      end)
    end
    weft.yield()
    error("stop")
  end)
  full()
  for i = 1, 20 do t.eq(weak[i], nil) end
end)

t.test("sockets that were dropped are closed by the collector", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  local server
  local function connect()
    local c = assert(weft.net.tcp.connect(host, port))
    server = assert(l:accept())
    assert(c:write("bye"))
  end
  connect()
  weft.yield()
  full()
  t.eq(server:read_some(), "bye")
  t.eq(server:read_some(), nil)
  server:close()
  l:close()
end)

t.test("a socket in use by a parked fiber alone is kept", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  local got
  weft.spawn(function() got = assert(l:accept()):read_some() end)
  weft.yield()
  full()
  local c = assert(weft.net.tcp.connect(host, port))
  t.settle(3)
  full()
  assert(c:write("still there"))
  t.eq(t.eventually(function() return got end), "still there")
  c:close()
  l:close()
end)

-- Everything at once, to be run with the collector in all its moods.
local function workout(rounds)
  local sum = 0
  weft.scope(function(s)
    local a, b, stop = weft.channel(), weft.channel(3), weft.channel()
    for i = 1, 5 do
      s:spawn(function()
        for j = 1, rounds do
          weft.choose(a:put_op({ i, j }), b:put_op({ i, j }):wrap(function() return { j } end)):perform()
        end
      end)
    end
    local got = 0
    for _ = 1, 3 do
      s:spawn(function()
        while true do
          local v, why = weft.choose(a:get_op(), b:get_op(), stop:get_op(), weft.sleep_op(3600)):perform()
          if why then break end
          sum = sum + v[2]
          got = got + 1
          if got == 5 * rounds then stop:close() end
        end
      end)
    end
    for i = 1, rounds do
      local f = s:async(function()
        weft.sleep(0.00001 * (i % 3))
        if i % 5 == 0 then error({ i }) end
        return { i }
      end)
      if i % 7 == 0 then f:cancel({ "reason" }) end
      local ok, v = t.pcall(f.join, f)
      if ok then t.eq(v[1], i) end
    end
  end)
  t.eq(sum, 5 * rounds * (rounds + 1) / 2)
end

t.test("with the collector working all the time", { memory = 512 }, function()
  t.gc_stress(workout, t.scale(300, 20))
end)

t.test("with a whole collection at every turn", function()
  local stop = false
  weft.spawn(function()
    while not stop do
      collectgarbage()
      weft.yield()
    end
  end)
  workout(t.scale(60, 10))
  stop = true
end)

t.test("with a collection every few instructions", function()
  if t.jit then jit.off() end
  local co = coroutine.running()
  local function hook() collectgarbage("step", 10) end
  debug.sethook(co, hook, "", 50)
  local ok, e = t.pcall(workout, t.scale(50, 10))
  debug.sethook(co)
  if t.jit then jit.on() end
  if not ok then error(e, 0) end
end)

t.test("with the generational collector", { memory = 512 }, function()
  if not t.has_close then t.skip "no generational collector" end
  collectgarbage("generational")
  local ok, e = t.pcall(workout, t.scale(300, 20))
  collectgarbage("incremental")
  if not ok then error(e, 0) end
end)

t.test("with the collector stopped", { memory = 2048 }, function()
  collectgarbage("stop")
  local ok, e = t.pcall(workout, t.scale(100, 10))
  collectgarbage("restart")
  if not ok then error(e, 0) end
end)

--- An object with that finalizer.
local function finalized(finalizer)
  if _VERSION ~= "Lua 5.1" then return setmetatable({}, { __gc = finalizer }) end
  local object = newproxy(true)
  getmetatable(object).__gc = finalizer
  return object
end

t.test("a finalizer may use weft, and may not block", function()
  local ch, blocked = weft.channel(10), nil
  local function finalizer()
    ch:try_put("finalized")
    blocked = not pcall(weft.sleep, 3600)
  end
  local function make() return finalized(finalizer) ~= nil end
  make()
  full()
  full()
  t.eq(ch:try_get(), true)
  t.eq(blocked, true)
end)

-- Finalizers run in the reverse order of creation, so that of the channel has run here.
t.test("operations on a shared channel that has been collected fail", function()
  local said = {}
  local function note(_, e) said[#said + 1] = e end
  local function make()
    local get, put
    local older = finalized(function()
      note(pcall(get.try, get))
      note(pcall(get.perform, get))
      note(pcall(put.try, put))
    end)
    local ch, alive = weft.shared_channel(1), weft.shared_channel(1)
    get, put = ch:get_op(), alive:put_op(ch)
    return older ~= nil
  end
  make()
  full()
  full()
  t.eq(#said, 3)
  t.truthy(said[1]:find("the shared channel has been collected", 1, true), said[1])
  t.truthy(said[2]:find("the shared channel has been collected", 1, true), said[2])
  t.truthy(said[3]:find("collected", 1, true), said[3])
end)

t.outside("a state that closes with everything open", function()
  local r = t.program([[
    local weft = require "weft"
    keep = {}
    weft.run(function()
      local ch = weft.channel(5)
      for i = 1, 5 do ch:put({ i, ch }) end
      local l = weft.net.tcp.listen("127.0.0.1", 0)
      local c = weft.net.tcp.connect(l:address())
      keep = { ch, l, c, weft.choose(ch:get_op(), weft.sleep_op(3600)), weft.self(), weft.channel() }
      weft.spawn(function() keep.f = weft.self() end)
    end)
    io.write("end")
  ]])
  t.eq(r.err, "")
  t.eq(r.out, "end")
  t.eq(r.code, 0)
end)
