-- SPDX-License-Identifier: MIT
-- Shared channels in one state: they behave as channels do. Other threads at their ends: tests/embed.

local t = require "harness"
local weft = require "weft"

t.test("a rendezvous passes one message", function()
  local ch = weft.shared_channel()
  weft.spawn(function() ch:put "hello" end)
  t.returns(t.pack "hello", ch:get())
end)

t.test("a get waits for its putter, and a put for its getter", function()
  local ch = weft.shared_channel()
  local getter = weft.spawn(function() return ch:get() end)
  t.settle(5)
  t.eq(getter:status(), "parked")
  ch:put "late"
  t.eq(getter:join(), "late")
  local putter = weft.spawn(function() return ch:put(1) end)
  t.settle(5)
  t.eq(putter:status(), "parked")
  t.eq(ch:get(), 1)
  t.eq(putter:join(), true)
end)

t.test("ping-pong", function()
  local ping, pong = weft.shared_channel(), weft.shared_channel(4)
  local n = t.scale(5000, 100)
  weft.spawn(function() for i = 1, n do pong:put(ping:get() + i) end end)
  local sum = 0
  for i = 1, n do
    ping:put(i)
    sum = sum + pong:get()
  end
  t.eq(sum, n * (n + 1))
end)

t.test("what is sent comes out as it was", function()
  local ch = weft.shared_channel(20)
  local sent = { true, false, 1, 0.5, -3, 2 ^ 53, math.huge, "", "bytes \0 more", ("x"):rep(10000) }
  for _, v in ipairs(sent) do ch:put(v) end
  for _, v in ipairs(sent) do
    local got = ch:get()
    t.eq(got, v)
    if math.type then t.eq(math.type(got), math.type(v)) end
  end
  ch:put(nil)
  t.returns(t.pack(nil), ch:get())
  ch:put(0 / 0)
  local nan = ch:get()
  t.ne(nan, nan)
end)

t.test("a channel goes through a channel, and is the same", function()
  local ch, inner = weft.shared_channel(1), weft.shared_channel(1)
  ch:put(inner)
  local got = ch:get()
  t.eq(rawequal(got, inner), true)
  got:put "through"
  t.eq(inner:get(), "through")
end)

t.test("what cannot be sent is named", function()
  local ch = weft.shared_channel(1)
  local cases = {
    [print] = "argument 1: a function cannot be sent through a shared channel",
    [{}] = "argument 1: a table cannot be sent through a shared channel",
    [coroutine.create(function() end)] = "argument 1: a thread cannot be sent through a shared channel",
    [weft.channel()] = "argument 1: a weft.channel cannot be sent through a shared channel",
    [weft.self()] = "argument 1: a weft.fiber cannot be sent through a shared channel",
  }
  for v, message in pairs(cases) do
    for _, method in ipairs { "put", "put_op", "try_put" } do
      local ok, e = weft.pcall(ch[method], ch, v)
      t.eq(ok, false)
      t.truthy(e:find(message, 1, true), e)
    end
  end
  t.eq(#ch, 0)
end)

t.test("try, length, capacity, closed", function()
  local ch = weft.shared_channel(2)
  t.eq(ch:cap(), 2)
  t.returns(t.pack(false), ch:try_get())
  t.eq(ch:try_put "a", true)
  t.eq(ch:try_put "b", true)
  t.eq(ch:try_put "c", false)
  t.eq(#ch, 2)
  t.returns(t.pack(true, "a"), ch:try_get())
  t.eq(ch:closed(), false)
  ch:close()
  t.eq(ch:closed(), true)
  t.returns(t.pack(true, "b"), ch:try_get())
  t.returns(t.pack(true, nil, "closed", "closed"), ch:try_get())
  t.raises("close of a closed channel", ch.close, ch)
  t.raises("put to a closed channel", ch.try_put, ch, 1)
  t.truthy(tostring(ch):find("weft.shared_channel: .* %(0 of 2, closed%)"))
  t.eq(weft.shared_channel(math.huge):cap(), math.huge)
end)

t.test("close wakes whoever waits", function()
  local ch = weft.shared_channel()
  local getter = weft.spawn(function() return ch:get() end)
  local full = weft.shared_channel()
  local putter = weft.async(function() full:put(1) end)
  t.settle(5)
  ch:close()
  full:close()
  t.returns(t.pack(nil, "closed", "closed"), getter:join())
  t.raises("put to a closed channel", putter.join, putter)
end)

t.test("iter ends with the channel", function()
  if not t.yields_in_iterator then t.skip "a for loop cannot wait here" end
  local ch, sum = weft.shared_channel(3), 0
  weft.spawn(function()
    for i = 1, 10 do ch:put(i) end
    ch:close()
  end)
  for v in ch:iter() do sum = sum + v end
  t.eq(sum, 55)
end)

t.test("beside local channels, timers and sockets in a choice", function()
  local shared, here = weft.shared_channel(), weft.channel()
  local function choice()
    return weft.select {
      shared = shared:get_op(), here = here:get_op(), timer = weft.sleep_op(60), put = weft.shared_channel():put_op(1),
    }
  end
  weft.spawn(function() shared:put "one" end)
  t.returns(t.pack("shared", "one"), choice())
  weft.spawn(function() here:put "two" end)
  t.returns(t.pack("here", "two"), choice())
  local late = weft.spawn(choice)
  t.settle(5)
  here:put "three"
  t.returns(t.pack("here", "three"), late:join())
  late = weft.spawn(choice)
  t.settle(5)
  shared:put "four"
  t.returns(t.pack("shared", "four"), late:join())
  t.eq(weft.timeout(shared:get_op(), 0.01):perform(), nil)
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  late = weft.spawn(function() return weft.choose(l:accept_op(), shared:get_op()):perform() end)
  t.settle(5)
  shared:put "five"
  t.eq(late:join(), "five")
  l:close()
end)

t.test("a choice never meets itself", function()
  local ch = weft.shared_channel()
  local alone = weft.spawn(function() return weft.choose(ch:get_op(), ch:put_op "mine"):perform() end)
  t.settle(5)
  t.eq(alone:status(), "parked")
  t.eq(ch:get(), "mine")
  t.eq(alone:join(), true)
end)

t.test("two choices that cross", function()
  local a, b = weft.shared_channel(), weft.shared_channel()
  for _ = 1, t.scale(500, 20) do
    local one = weft.spawn(function() return weft.choose(a:put_op "a", b:get_op()):perform() end)
    local two = weft.spawn(function() return weft.choose(b:put_op "b", a:get_op()):perform() end)
    local x, y = one:join(), two:join()
    t.eq((x == true and y == "a") or (x == "b" and y == true), true)
  end
end)

t.test("cancelled while it waits", function()
  local ch = weft.shared_channel()
  local f = weft.spawn(function() ch:get() end)
  t.settle(5)
  f:cancel()
  t.raises(nil, f.join, f)
  t.eq(f:status(), "cancelled")
  t.eq(ch:try_put(1), false)
end)

t.test("wraps, nacks and defaults", function()
  local ch = weft.shared_channel(1)
  t.eq(ch:get_op():or_else(function() return "none" end):perform(), "none")
  ch:put(2)
  t.eq(ch:get_op():wrap(function(v) return v * 10 end):perform(), 20)
  local lost = false
  local op = weft.choose(weft.shared_channel():get_op():on_abort(function() lost = true end), weft.always "won")
  t.eq(op:perform(), "won")
  t.eq(lost, true)
end)

t.test("beside a base_op that tries other operations", function()
  local ch, other = weft.shared_channel(), weft.shared_channel(1)
  local suspended
  local base = weft.base_op(nil, function() return false end, function(s, wrap)
    other:try_put "from the block function"
    other:get_op():try()
    suspended = { s, wrap }
  end)
  local f = weft.spawn(function() return weft.choose(ch:get_op(), base):perform() end)
  t.settle(5)
  ch:put "shared"
  t.eq(f:join(), "shared")
  t.eq(suspended[1]:complete(suspended[2], "late"), false)
  f = weft.spawn(function() return weft.choose(ch:get_op(), base):perform() end)
  t.settle(5)
  t.eq(suspended[1]:complete(suspended[2], "base"), true)
  t.eq(f:join(), "base")
end)

t.test("records do not pile up", { memory = 64 }, function()
  local ch, fed = weft.shared_channel(), weft.shared_channel(1)
  for i = 1, t.scale(20000, 200) do
    fed:put(i)
    t.eq(weft.choose(ch:get_op(), fed:get_op(), weft.sleep_op(1000)):perform(), i)
  end
end)

t.test("a refused yield leaves nothing behind", function()
  local ch = weft.shared_channel()
  local ok = pcall(table.sort, { 1, 2, 3 }, function() return ch:get() end)
  t.eq(ok, false)
  t.eq(ch:try_put "nobody is there", false)
end)

t.test("ends on the wrong kind of thing", function()
  local ch = weft.shared_channel()
  t.raises("bad argument #1 to 'get_op' %(shared channel expected, got no value%)", ch.get_op)
  t.raises("bad argument #1 to 'put_op' %(shared channel expected, got table%)", ch.put_op, {}, 1)
  t.raises("bad argument #1 to 'iter' %(shared channel expected, got number%)", ch.iter, 1)
  t.raises("bad argument #1 to 'shared_channel' %(a capacity", weft.shared_channel, -1)
end)

t.outside("nobody else has it: a deadlock is one", function()
  local ok, e = pcall(weft.run, function() weft.shared_channel():get() end)
  t.eq(ok, false)
  t.eq(weft.is_deadlock(e), true)
end)

t.outside("outside a run it can be tried", function()
  local ch = weft.shared_channel(1)
  t.eq(ch:try_put "early", true)
  t.eq(weft.run(function() return ch:get() end), "early")
end)
