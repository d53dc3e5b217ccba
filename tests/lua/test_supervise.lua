-- SPDX-License-Identifier: MIT
-- weft.supervise, weft.locals and weft.context.

local t = require "harness"
local weft = require "weft"

t.test("a child that fails is started again, the others are untouched", function()
  local starts, other = 0, 0
  weft.supervise {
    children = {
      function()
        starts = starts + 1
        weft.yield()
        if starts < 3 then error "failed" end
      end,
      function()
        other = other + 1
        for _ = 1, 20 do weft.yield() end
      end,
    },
    restarts = 5, within = 3600,
  }
  t.eq(starts, 3)
  t.eq(other, 1)
end)

t.test("too many restarts: the last error, the rest cancelled", function()
  local n, cancelled = 0, false
  local e = t.raises("failure 4", weft.supervise, {
    children = {
      failing = function()
        n = n + 1
        error("failure " .. n, 0)
      end,
      waiting = function()
        local ok, e = t.pcall(weft.sleep, 3600)
        cancelled = not ok and weft.is_cancelled(e)
        error(e, 0)
      end,
    },
    restarts = 3, within = 3600,
  })
  t.eq(e, "failure 4")
  t.eq(cancelled, true)
end)

t.test("restarts are counted in a window", function()
  local n = 0
  weft.supervise {
    children = { function()
      n = n + 1
      if n < 5 then
        weft.sleep(0.02)
        error "failed"
      end
    end },
    restarts = 1, within = 0.005,
  }
  t.eq(n, 5)
end)

t.test("restarts of all children count together", function()
  local n = 0
  local function child()
    n = n + 1
    error("failed", 0)
  end
  t.raises("failed", weft.supervise, { children = { child, child }, restarts = 2, within = 3600 })
  t.between(n, 3, 4)
end)

t.test("what a child has spawned ends before it starts again, and its failure is the child's", function()
  local starts, alive = 0, 0
  weft.supervise { children = { function(s)
    starts = starts + 1
    t.eq(alive, 0)
    if starts == 3 then return end
    s:spawn(function()
      alive = alive + 1
      t.pcall(weft.sleep, 3600)
      alive = alive - 1
    end)
    weft.spawn(function()
      weft.yield()
      error("grandchild", 0)
    end)
  end } }
  t.eq(starts, 3)
end)

t.test("cancelled, it ends; a cancelled child is done", function()
  local f = weft.spawn(function()
    weft.supervise { children = { function() weft.sleep(3600) end } }
  end)
  t.settle(3)
  f:cancel()
  t.truthy(weft.is_cancelled(t.raises(nil, f.join, f)))
  local starts = 0
  weft.supervise { children = { function()
    starts = starts + 1
    weft.self():cancel()
    weft.yield()
  end } }
  t.eq(starts, 1)
end)

t.test("children have names", function()
  local name
  weft.supervise { children = { web = function() name = weft.self():name() end } }
  t.eq(name, "web")
end)

t.test("misuse of supervise", function()
  t.misuse("bad argument #1 to 'supervise' %(table expected, got no value%)", function() weft.supervise() end)
  t.misuse("bad option 'children' of supervise", function() weft.supervise {} end)
  t.misuse("children%[1%]", function() weft.supervise { children = { 5 } } end)
  t.misuse("unknown option 'retries'", function() weft.supervise { children = {}, retries = 1 } end)
  t.misuse("bad option 'restarts'", function() weft.supervise { children = {}, restarts = -1 } end)
  t.misuse("bad option 'within'", function() weft.supervise { children = {}, within = "1" } end)
  weft.supervise { children = {} }
end)

-- ---------------------------------------------------------------- locals

t.test("locals are the fiber's, and children inherit them", function()
  weft.locals.user = "ann"
  weft.locals.count = 1
  local f = weft.spawn(function(...)
    t.returns(t.pack(1, nil), ...)
    t.eq(weft.locals.user, "ann")
    weft.locals.user = "bob"
    weft.yield()
    t.eq(weft.locals.user, "bob")
    return weft.spawn(function() return weft.locals.user, weft.locals.count end):join()
  end, 1, nil)
  weft.locals.count = 2                   -- later: the child does not see it
  t.returns(t.pack("bob", 1), f:join())
  t.eq(weft.locals.user, "ann")
  t.eq(weft.locals.nothing, nil)
  weft.locals.user = nil
  t.eq(weft.locals.user, nil)
end)

t.test("locals in async, daemon, scopes and user coroutines", function()
  weft.locals.x = 5
  local got = {}
  local function note(name) got[name] = weft.locals.x end
  weft.async(note, "async"):join()
  weft.daemon(note, "daemon")
  weft.scope(function(s)
    s:spawn(note, "s:spawn")
    s:async(note, "s:async"):join()
    s:daemon(note, "s:daemon")
    t.settle(2)
    note "body"
  end)
  coroutine.wrap(note) "coroutine"
  weft.map({ 1 }, function() note "map" end)
  for _, name in ipairs { "async", "daemon", "s:spawn", "s:async", "s:daemon", "body", "coroutine", "map" } do
    t.eq(got[name], 5, name)
  end
end)

t.test("a fiber without locals has none", function()
  t.eq(weft.locals.user, nil)
  t.eq(weft.spawn(function() return weft.locals.user end):join(), nil)
  t.match(tostring(weft.locals), "^weft%.locals")
  t.raises("nil", function() weft.locals[nil] = 1 end)
end)

t.test("with locals set, the line of a spawn is still the user's", function()
  weft.locals.x = 1
  local release = weft.latch(1)
  local fiber = weft.spawn(function() release:wait() end)
  weft.yield()
  for _, info in ipairs(weft.inspect.fibers()) do
    if info.id == fiber.id then t.match(info.line, "test_supervise%.lua:%d+$") end
  end
  t.eq(fiber:traceback():find("locals", 1, true), nil)
  release:count_down()
end)

t.test("locals may be false, and their keys anything but nil", function()
  local key = {}
  weft.locals[key], weft.locals.off = 1, false
  weft.spawn(function()
    t.eq(weft.locals[key], 1)
    t.eq(weft.locals.off, false)
  end):join()
end)

t.outside("locals set outside a run: every main fiber begins with them", function()
  weft.locals.who = "outside"
  weft.run(function()
    t.eq(weft.locals.who, "outside")
    weft.locals.who = "main"
    weft.spawn(function() t.eq(weft.locals.who, "main") end)
  end)
  t.eq(weft.locals.who, "outside")
  weft.test({ seed = 1 }, function() t.eq(weft.locals.who, "outside") end)
  weft.locals.who = nil
  weft.run(function() t.eq(weft.locals.who, nil) end)
end)

t.test("locals do not keep ended fibers", { memory = 512 }, function()
  local n = t.scale(20000, 500)
  for i = 1, n do
    weft.spawn(function()
      weft.locals.value = i
      weft.locals.me = weft.self()
    end):join()
  end
end)

t.test("spawn still says what is wrong with locals set", function()
  weft.locals.x = 1
  t.raises("bad argument #1 to 'spawn'", function() weft.spawn(5) end)
  t.raises("bad argument #1 to 'spawn'", function() weft.spawn() end)
end)

-- ---------------------------------------------------------------- context

t.test("a context is cancelled once, with all that was made from it", function()
  local context = weft.context
  local parent, cancel = context.with_cancel(context.background())
  local child = context.with_cancel(parent)
  local valued = context.with_value(child, "key", "value")
  local other, cancel_other = context.with_cancel(parent)
  t.eq(valued:err(), nil)
  t.eq(valued:done_op():try(), false)
  cancel_other()
  t.eq(other:err(), "cancelled")
  t.eq(parent:err(), nil)
  local f = weft.spawn(function() return valued:done() end)
  t.settle(2)
  cancel "enough"
  cancel "again"
  t.returns(t.pack("cancelled", "enough"), f:join())
  for _, ctx in ipairs { parent, child, valued } do
    t.eq(ctx:err(), "cancelled")
    t.eq(ctx:cause(), "enough")
  end
  t.eq(other:cause(), "cancelled")
  t.eq((context.with_cancel(parent)):err(), "cancelled", "born done")
  t.eq(context.background():err(), nil)
end)

t.test("deadlines: the nearest counts", function()
  local context = weft.context
  local start = weft.now()
  local parent = context.with_timeout(context.background(), 0.02)
  local child = context.with_timeout(parent, 3600)
  t.eq(child:deadline(), parent:deadline())
  t.eq(context.background():deadline(), nil)
  t.returns(t.pack("timeout", nil), child:done())
  t.truthy(weft.now() - start >= 0.02)
  t.eq(child:err(), "timeout")
  t.eq(parent:err(), "timeout")
  t.eq(parent:cause(), "timeout")
  local past = context.with_deadline(context.background(), weft.now() - 1)
  t.eq(past:err(), "timeout")
  local long, cancel = context.with_timeout(context.background(), 3600)
  local f = weft.spawn(function() return long:done() end)
  t.settle(2)
  cancel()
  t.eq(f:join(), "cancelled")
end)

t.test("values are found through the parents", function()
  local context = weft.context
  local a = context.with_value(context.background(), "a", 1)
  local b = context.with_value((context.with_cancel(a)), "b", 2)
  local c = context.with_value(b, "a", 3)
  t.eq(c:value "a", 3)
  t.eq(c:value "b", 2)
  t.eq(b:value "a", 1)
  t.eq(a:value "b", nil)
end)

t.test("a scope under a context", function()
  local context = weft.context
  local ctx, cancel = context.with_cancel(context.background())
  t.returns(t.pack(1, nil, 3), context.scope(ctx, function() return 1, nil, 3 end))
  weft.spawn(cancel)
  t.returns(t.pack(nil, "cancelled", "cancelled"), context.scope(ctx, function(s)
    s:spawn(weft.sleep, 3600)
    weft.sleep(3600)
  end))
  t.raises_value("failed", context.scope, context.background(), function() error("failed", 0) end)
end)

t.test("contexts that nobody holds are not kept by their parent", function()
  local context = weft.context
  local parent, cancel = context.with_cancel(context.background())
  for _ = 1, t.scale(20000, 500) do context.with_cancel(parent) end
  cancel()
end)

t.test("misuse of contexts", function()
  local context = weft.context
  local b = context.background()
  t.misuse("bad argument #1 to 'with_cancel' %(context expected, got no value%)", function() context.with_cancel() end)
  t.misuse("bad argument #1 to 'with_value'", function() context.with_value({}, 1, 2) end)
  t.misuse("bad argument #2 to 'with_timeout'", function() context.with_timeout(b) end)
  t.misuse("NaN", function() context.with_deadline(b, 0 / 0) end)
  t.misuse("bad argument #2 to 'with_value'", function() context.with_value(b, nil, 2) end)
end)
