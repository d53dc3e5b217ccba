-- SPDX-License-Identifier: MIT
-- Cancellation: reaches every wait, is sticky, is not swallowed by pcall for good.

local t = require "harness"
local weft = require "weft"

-- Cancels a fiber that runs f and is parked; the value that joining it raised.
local function cancel_parked(f, reason)
  local entered
  local fiber = weft.spawn(function()
    entered = true
    f()
    weft.yield()                          -- where it had not to wait, it is raised here
    error("not cancelled", 0)
  end)
  t.settle(3)
  t.eq(entered, true)
  t.eq(fiber:status(), "parked")
  fiber:cancel(reason)
  local e = t.raises(nil, fiber.join, fiber)
  t.truthy(weft.is_cancelled(e), "joining raised " .. tostring(e))
  t.eq(fiber:status(), "cancelled")
  return e, fiber
end

t.test("cancel while asleep", function() cancel_parked(function() weft.sleep(3600) end) end)
t.test("cancel while asleep for ever", function() cancel_parked(function() weft.sleep(math.huge) end) end)
t.test("cancel in sleep_until", function() cancel_parked(function() weft.sleep_until(weft.now() + 60) end) end)

t.test("cancel while getting", function()
  local ch = weft.channel()
  cancel_parked(function() ch:get() end)
  -- The waiter is gone: a put does not find it.
  t.eq(ch:try_put("x"), false)
end)

t.test("cancel while putting", function()
  local ch = weft.channel()
  cancel_parked(function() ch:put("lost") end)
  t.eq(ch:try_get(), false)
  local full = weft.channel(1)
  full:put("kept")
  cancel_parked(function() full:put("lost") end)
  t.eq(full:get(), "kept")
  t.eq(full:try_get(), false)
end)

t.test("cancel while joining", function()
  local gate = weft.channel()
  local other = weft.spawn(function() return gate:get() end)
  cancel_parked(function() other:join() end)
  gate:put "unharmed"
  t.eq(other:join(), "unharmed")
end)

t.test("cancel in a choice", function()
  local a, b = weft.channel(), weft.channel()
  cancel_parked(function() weft.choose(a:get_op(), b:put_op(1), weft.sleep_op(3600)):perform() end)
  t.eq(a:try_put(1), false)
  t.eq(b:try_get(), false)
end)

t.test("cancel at a scope's end", function()
  local child_ended
  cancel_parked(function()
    weft.scope(function(s)
      s:spawn(function()
        t.pcall(weft.sleep, 3600)
        child_ended = true
      end)
    end)
  end)
  t.eq(child_ended, true)
end)

t.test("cancel in accept and read", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  cancel_parked(function() l:accept() end)
  local host, port = l:address()
  local client = assert(weft.net.tcp.connect(host, port))
  local server = assert(l:accept())
  cancel_parked(function() server:read_some() end)
  assert(client:write("still works"))
  t.eq(server:read_some(), "still works")
  client:close()
  server:close()
  l:close()
end)

t.test("cancel in a write that waits for room", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  local client = assert(weft.net.tcp.connect(host, port))
  local server = assert(l:accept())
  local chunk, written = ("x"):rep(1024 * 1024), 0
  local f = weft.spawn(function()
    while true do
      assert(client:write(chunk))
      written = written + 1
    end
  end)
  local before
  repeat
    before = written
    weft.sleep(0.05)
  until written == before and f:status() == "parked"
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  client:close()
  server:close()
  l:close()
end)

-- ---------------------------------------------------------------- the value

t.test("the reason and the fiber are on the value", function()
  local reason = { "any", "value" }
  local e, fiber = cancel_parked(function() weft.sleep(3600) end, reason)
  t.eq(e.fiber, fiber)
  t.eq(e.reason, reason)
end)

t.test("a reason is in the text", function()
  local e = cancel_parked(function() weft.sleep(3600) end, "no longer needed")
  t.eq(e.reason, "no longer needed")
  t.match(tostring(e), "cancel")
  t.contains(tostring(e), "no longer needed")
end)

t.test("without a reason", function()
  local e = cancel_parked(function() weft.sleep(3600) end)
  t.eq(e.reason, nil)
  t.match(tostring(e), "cancel")
end)

t.test("is_cancelled of other values", function()
  for _, v in ipairs { "cancelled", 1, {}, false, print } do t.eq(weft.is_cancelled(v), false) end
  t.eq(weft.is_cancelled(nil), false)
  t.eq(weft.is_deadlock("deadlock"), false)
  t.eq(weft.is_deadlock(nil), false)
  t.eq(weft.is_timeout("timeout"), false)
end)

-- ---------------------------------------------------------------- sticky

t.test("pcall does not swallow it for good", function()
  local raised, reached = 0, false
  local f = weft.spawn(function()
    for _ = 1, 5 do
      local ok, e = t.pcall(weft.sleep, 3600)
      if not ok and weft.is_cancelled(e) then raised = raised + 1 end
    end
    weft.sleep(3600)
    reached = true
  end)
  weft.yield()
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  t.eq(raised, 5)
  t.eq(reached, false)
end)

t.test("plain pcall, where a yield crosses it", function()
  if not t.yields_across_pcall then t.skip "5.1 cannot block in pcall" end
  local raised = 0
  local f = weft.spawn(function()
    for _ = 1, 3 do
      local ok, e = pcall(weft.sleep, 3600)
      if not ok and weft.is_cancelled(e) then raised = raised + 1 end
    end
    weft.yield()
  end)
  weft.yield()
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  t.eq(raised, 3)
end)

t.test("a cancelled perform raises before it tries any arm", function()
  local ch = weft.channel(10)
  for i = 1, 5 do ch:put(i) end
  local f = weft.spawn(function()
    t.pcall(weft.sleep, 3600)
    for _ = 1, 3 do t.pcall(ch.get, ch) end
    for _ = 1, 3 do t.pcall(ch.put, ch, 0) end
    weft.yield()
  end)
  weft.yield()
  f:cancel()
  t.pcall(f.join, f)
  t.eq(#ch, 5)
end)

t.test("every blocking call raises once cancelled", function()
  local ch, kinds = weft.channel(1), {}
  local done = weft.spawn(function() end)
  done:join()
  local f = weft.spawn(function()
    local calls = {
      sleep = function() weft.sleep(0) end,
      yield = function() weft.yield() end,
      put = function() ch:put(1) end,
      join = function() done:join() end,
      choice = function() weft.choose(ch:put_op(1), weft.sleep_op(0)):perform() end,
    }
    t.pcall(weft.sleep, 3600)
    for name, call in pairs(calls) do
      local ok, e = t.pcall(call)
      if not ok and weft.is_cancelled(e) then kinds[name] = true end
    end
  end)
  weft.yield()
  f:cancel()
  t.pcall(f.join, f)
  t.same(kinds, { sleep = true, yield = true, put = true, join = true, choice = true })
end)

t.test("a retry loop cannot hang the worker", function()
  local rounds, others = 0, 0
  local f = weft.spawn(function()
    while rounds < 200 do
      rounds = rounds + 1
      t.pcall(weft.sleep, 3600)
    end
  end)
  weft.yield()
  f:cancel()
  while f:status() ~= "done" and f:status() ~= "cancelled" and f:status() ~= "failed" do
    others = others + 1
    weft.yield()
  end
  t.between(others, 100, 400)
  t.eq(rounds, 200)
end)

t.test("what had happened before the cancel is not un-won", function()
  local ch = weft.channel()
  local got, after
  local f = weft.spawn(function()
    got = ch:get()
    local ok, e = t.pcall(weft.yield)
    after = not ok and weft.is_cancelled(e)
  end)
  weft.yield()
  ch:put("value")                         -- the getter has won, and is not yet resumed
  f:cancel()
  t.pcall(f.join, f)
  t.eq(got, "value")
  t.eq(after, true)
end)

-- ---------------------------------------------------------------- edges

t.test("cancel of a fiber that has ended changes nothing", function()
  local f = weft.spawn(function() return 5 end)
  f:join()
  f:cancel()
  t.eq(f:status(), "done")
  t.eq(f:join(), 5)
end)

t.test("cancel twice, the first reason stays", function()
  local f = weft.spawn(function() weft.sleep(3600) end)
  weft.yield()
  f:cancel("first")
  f:cancel("second")
  local e = t.raises(nil, f.join, f)
  t.eq(e.reason, "first")
end)

t.test("cancel of a fiber that has not started", function()
  local reached = false
  local f = weft.spawn(function()
    weft.sleep(0)
    reached = true
  end)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  t.eq(reached, false)
end)

t.test("a fiber may cancel itself", function()
  local before, after = false, false
  local f = weft.spawn(function()
    weft.self():cancel("mine")
    before = true
    weft.yield()
    after = true
  end)
  local e = t.raises(nil, f.join, f)
  t.truthy(weft.is_cancelled(e))
  t.eq(e.reason, "mine")
  t.eq(before, true)
  t.eq(after, false)
end)

t.test("a cancelled child does not fail its scope", function()
  weft.scope(function(s)
    local f = s:spawn(function() weft.sleep(3600) end)
    weft.yield()
    f:cancel()
    weft.sleep(0.002)
    t.eq(f:status(), "cancelled")
  end)
end)

t.test("joining a cancelled fiber is an ordinary error in the joiner", function()
  local f = weft.spawn(function() weft.sleep(3600) end)
  local joiner = weft.spawn(function() f:join() end)
  t.settle(2)
  f:cancel()
  local e = t.raises(nil, joiner.join, joiner)
  t.truthy(weft.is_cancelled(e))
  t.eq(e.fiber, f)
  t.eq(joiner:status(), "failed")
  t.eq(f:status(), "cancelled")
end)

t.test("an uncaught join of a cancelled fiber fails the scope", function()
  local f
  local e = t.raises(nil, weft.scope, function(s)
    f = s:spawn(function() weft.sleep(3600) end)
    s:spawn(function() f:join() end)
    t.settle(2)
    f:cancel()
    weft.sleep(3600)
  end)
  t.truthy(weft.is_cancelled(e))
  t.eq(e.fiber, f)
end)

t.test("cancelling a fiber cancels the scopes that it opened", function()
  local leaves = 0
  local f = weft.spawn(function()
    weft.scope(function(s)
      for _ = 1, 3 do
        s:spawn(function()
          weft.scope(function(x)
            x:spawn(function()
              t.pcall(weft.sleep, 3600)
              leaves = leaves + 1
            end)
          end)
        end)
      end
    end)
  end)
  t.settle(5)
  f:cancel()
  t.pcall(f.join, f)
  t.eq(leaves, 3)
end)

t.test("cancelling a fiber does not cancel its siblings", function()
  -- weft.spawn in a fiber adds a sibling, not a child.
  local sibling
  local f = weft.spawn(function()
    sibling = weft.spawn(function()
      weft.sleep(0.01)
      return "ran"
    end)
    weft.sleep(3600)
  end)
  t.settle(3)
  f:cancel()
  t.pcall(f.join, f)
  t.eq(sibling:join(), "ran")
end)

t.test("a fiber is free again after a cancelled scope", function()
  for _ = 1, 10 do
    weft.scope(function(s)
      s:cancel()
      weft.sleep(3600)
    end)
    weft.sleep(0)
  end
end)

t.test("cancel racing completion", function()
  local won, lost = 0, 0
  for i = 1, t.scale(2000, 100) do
    local ch = weft.channel()
    local got
    local f = weft.spawn(function() got = ch:get() end)
    weft.yield()
    local put = weft.spawn(function()
      weft.choose(ch:put_op(i), weft.sleep_op(0.0001)):perform()
    end)
    if i % 2 == 0 then weft.yield() end
    f:cancel()
    t.pcall(f.join, f)
    put:join()
    if got then won = won + 1 else lost = lost + 1 end
  end
  t.truthy(won > 0)
  t.truthy(lost > 0)
end)

t.test("a thousand cancelled waiters leave the channel clean", { memory = 6144 }, function()
  local ch = weft.channel()
  local fibers = {}
  for i = 1, 1000 do fibers[i] = weft.spawn(function() ch:get() end) end
  weft.yield()
  for i = 1, 1000 do if i ~= 500 then fibers[i]:cancel() end end
  t.settle(3)
  ch:put("for the one that is left")
  fibers[500]:join()
  t.eq(ch:try_put(1), false)
end)
