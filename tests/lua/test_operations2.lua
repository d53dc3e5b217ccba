-- SPDX-License-Identifier: MIT
-- Operations as a user of Concurrent ML builds them: base_op, guard, with_nack, on_abort, bracket, always,
-- never, timeout, race, select, or_else; values with nils; operations as values, nested deeply.

local t = require "harness"
local weft = require "weft"

local unpack = table.unpack or unpack

local function value(...)
  local values = t.pack(...)
  return function() return unpack(values, 1, values.n) end
end

local function never_ready() return false end

-- An event of the user's own: fire(...) completes all that wait; kept(...) counts what on_done saw.
local function event(wrap)
  local self = { waiting = {}, blocks = 0, tries = 0, done = 0 }
  self.op = weft.base_op(wrap, function()
    self.tries = self.tries + 1
    return false
  end, function(s, w)
    self.blocks = self.blocks + 1
    self.waiting[#self.waiting + 1] = { s = s, wrap = w }
    s:on_done(function() self.done = self.done + 1 end)
  end)
  function self.fire(...)
    local won, list = 0, self.waiting
    self.waiting = {}
    for _, w in ipairs(list) do
      if w.s:complete(w.wrap, ...) then won = won + 1 end
    end
    return won
  end
  return self
end

-- Nack operation -> whether it is signalled.
local function signalled(nack) return (nack:try()) end

-- with_nack around op, and a function that tells whether it is signalled.
local function nacked(op)
  local seen = {}
  local arm = weft.with_nack(function(nack)
    seen[#seen + 1] = nack
    return op
  end)
  return arm, function(i)
    local nack = seen[i or #seen]
    if not nack then return nil end
    return signalled(nack)
  end, seen
end

-- ---------------------------------------------------------------- base_op

t.test("base_op: completed from another fiber", function()
  local e = event()
  local f = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  t.eq(f:status(), "parked")
  t.eq(e.fire("a", nil, "c", nil), 1)
  t.returns(t.pack("a", nil, "c", nil), f:join())
  t.eq(e.done, 1)
  t.eq(e.tries, 1)
  t.eq(e.blocks, 1)
end)

t.test("base_op: completed without values", function()
  local e = event()
  local f = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  e.fire()
  t.returns(t.pack(), f:join())
  local g = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  t.eq(e.waiting[1].s:complete(), true)
  t.returns(t.pack(), g:join())
end)

t.test("base_op: try that succeeds never blocks", function()
  local blocks = 0
  local op = weft.base_op(nil, function() return true, 1, nil, 3, nil end, function() blocks = blocks + 1 end)
  t.returns(t.pack(1, nil, 3, nil), op:perform())
  t.returns(t.pack(true, 1, nil, 3, nil), op:try())
  t.eq(blocks, 0)
  t.returns(t.pack(), weft.base_op(nil, function() return true end, function() end):perform())
end)

t.test("base_op: try gives false and nothing more", function()
  local op = weft.base_op(nil, function() return false, "ignored" end, function() end)
  t.returns(t.pack(false), op:try())
  local none = weft.base_op(nil, function() end, function() end)
  t.returns(t.pack(false), none:try())
end)

t.test("base_op: completed inside block itself", function()
  local done = 0
  local op = weft.base_op(nil, never_ready, function(s, wrap)
    s:on_done(function() done = done + 1 end)
    t.eq(s:waiting(), true)
    t.eq(s:complete(wrap, "at once", nil, nil), true)
    t.eq(s:waiting(), false)
    t.eq(s:complete(wrap, "again"), false)
  end)
  for _ = 1, 5 do t.returns(t.pack("at once", nil, nil), op:perform()) end
  t.eq(done, 5)
end)

t.test("base_op: completed inside block in a choice: later arms are not published", function()
  local late = event()
  local first = weft.base_op(nil, never_ready, function(s, wrap) s:complete(wrap, "first") end)
  for _ = 1, 5 do t.eq(weft.choose(first, late.op):perform(), "first") end
  t.eq(late.blocks, 0)
  -- and published ones are given up
  local early = event()
  for i = 1, 5 do
    t.eq(weft.choose(early.op, weft.channel():get_op(), weft.sleep_op(3600), first):perform(), "first")
    t.eq(early.done, i)
  end
  t.eq(early.fire(), 0)
end)

t.test("base_op: its wrap sees the values of try and of complete", function()
  local function wrap(...) return "wrapped", ... end
  local ready = weft.base_op(wrap, function() return true, 1, nil end, function() end)
  t.returns(t.pack("wrapped", 1, nil), ready:perform())
  t.returns(t.pack(true, "wrapped", 1, nil), ready:try())
  local e = event(wrap)
  local f = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  e.fire(nil, 2)
  t.returns(t.pack("wrapped", nil, 2), f:join())
end)

t.test("base_op: the completer may give a wrap of its own", function()
  local e = event()
  local f = weft.spawn(function() return e.op:wrap(function(...) return "outer", ... end):perform() end)
  t.settle(2)
  e.waiting[1].s:complete(function(a, b) return b, a end, 1, 2)
  t.returns(t.pack("outer", 2, 1), f:join())
end)

t.test("base_op: wraps run in the performer, and may block", function()
  local ch, who = weft.channel(), nil
  local e = event(function(v)
    who = weft.self()
    return v, ch:get()
  end)
  local f = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  e.fire("v")
  ch:put("got in the wrap")
  t.returns(t.pack("v", "got in the wrap"), f:join())
  t.eq(who, f)
end)

t.test("base_op: an error in a wrap is raised in the performer", function()
  local e = event(function() error("in the wrap", 0) end)
  local f = weft.async(function() return e.op:perform() end)
  t.settle(2)
  t.eq(e.fire(), 1)
  t.raises("^in the wrap$", f.join, f)
  t.eq(e.done, 1)
end)

t.test("base_op: a stale suspension answers false", function()
  local e = event()
  local f = weft.spawn(function()
    e.op:perform()
    weft.channel(1):put(1)
    return e.op:perform()
  end)
  t.settle(2)
  local first = e.waiting[1]
  t.eq(e.fire(1), 1)
  t.eq(first.s:waiting(), false)
  t.eq(first.s:complete(nil, "stale"), false)
  t.settle(3)
  local second = e.waiting[1]
  t.ne(second.s, first.s)
  t.eq(second.s:waiting(), true)
  t.eq(first.s:waiting(), false, "the generation of another wait")
  t.eq(first.s:complete(nil, "stale"), false)
  t.eq(e.fire("fresh"), 1)
  t.eq(f:join(), "fresh")
  t.eq(second.s:complete(nil, "after the end"), false)
  t.eq(second.s:waiting(), false)
end)

t.test("base_op: stale for a thousand later waits of other kinds", function()
  local e, ch = event(), weft.channel()
  local f = weft.spawn(function()
    weft.choose(e.op, weft.always "ready"):perform()
    weft.choose(e.op, weft.sleep_op(0.0001)):perform()
    for _ = 1, 500 do
      weft.yield()
      t.eq(ch:get(), "v")
    end
  end)
  t.settle(3)
  weft.sleep(0.002)
  local old = e.waiting[1].s
  for _ = 1, 500 do
    t.eq(old:complete(nil, "wrong"), false)
    ch:put("v")
    t.eq(old:complete(nil, "wrong"), false)
  end
  f:join()
end)

t.test("base_op: a suspension outlives its fiber", function()
  local kept = {}
  local op = weft.base_op(nil, never_ready, function(s) kept[#kept + 1] = s end)
  for _ = 1, 50 do
    weft.spawn(function() weft.choose(op, weft.sleep_op(0.0001)):perform() end):join()
  end
  for _ = 1, 3 do collectgarbage() end
  for _ = 1, 50 do weft.spawn(function() end) end
  t.settle(2)
  for _, s in ipairs(kept) do
    t.eq(s:waiting(), false)
    t.eq(s:complete(nil, 1), false)
    t.match(tostring(s), "suspension")
  end
end)

t.test("base_op: on_done once when it wins, loses, is cancelled, and not when it never published", function()
  local e, ch = event(), weft.channel()
  local function perform(...)
    local ops = { ... }
    local f = weft.spawn(function() return weft.choose(ops):perform() end)
    t.settle(2)
    return f
  end
  local f = perform(e.op, ch:get_op())
  e.fire "won"
  t.eq(f:join(), "won")
  t.eq(e.done, 1, "won")
  f = perform(e.op, ch:get_op())
  ch:put "lost"
  t.eq(f:join(), "lost")
  t.eq(e.done, 2, "lost")
  t.eq(e.fire(), 0)
  f = perform(e.op, ch:get_op())
  f:cancel()
  t.raises("cancelled", f.join, f)
  t.eq(e.done, 3, "cancelled")
  t.eq(e.fire(), 0)
  t.eq(weft.choose(weft.always "ready", e.op):perform(), "ready")
  t.eq(e.done, 3, "not published")
  t.eq(e.blocks, 3)
  t.eq(perform(e.op, weft.sleep_op(0.001):wrap(value "late")):join(), "late")
  t.eq(e.done, 4, "lost to a timer")
end)

t.test("base_op: on_done runs before the perform goes on", function()
  local log = {}
  local op = weft.base_op(nil, never_ready, function(s, wrap)
    s:on_done(function() log[#log + 1] = "done 1" end)
    s:on_done(function() log[#log + 1] = "done 2" end)
    s:complete(wrap)
  end):wrap(function() log[#log + 1] = "wrap" end)
  op:perform()
  t.same(log, { "done 1", "done 2", "wrap" })
end)

t.test("base_op: several arms at once, each with its on_done", function()
  local events, ops = {}, {}
  for i = 1, 20 do
    events[i] = event()
    ops[i] = events[i].op:wrap(function(...) return i, ... end)
  end
  local choice = weft.choose(ops)
  for round = 1, 5 do
    local f = weft.spawn(function() return choice:perform() end)
    t.settle(2)
    local k = round * 4
    t.eq(events[k].fire("v", nil), 1)
    for i = 1, 20 do
      if i ~= k then t.eq(events[i].fire("late"), 0) end
    end
    t.returns(t.pack(k, "v", nil), f:join())
    for i = 1, 20 do t.eq(events[i].done, round) end
  end
end)

t.test("base_op: an error in try is raised by the perform, and leaves nothing", function()
  local value_of_error = { "an object" }
  local bad = weft.base_op(nil, function() error(value_of_error, 0) end, function() end)
  t.raises_value(value_of_error, bad.perform, bad)
  t.raises_value(value_of_error, bad.try, bad)
  local ch = weft.channel()
  local choice = weft.choose(ch:get_op(), bad)
  for _ = 1, 10 do t.raises_value(value_of_error, choice.perform, choice) end
  t.eq(ch:try_put(1), false)
  weft.yield()                            -- the fiber goes on
  t.eq(weft.always(1):perform(), 1)
end)

t.test("base_op: an error in block is raised by the perform, and leaves nothing", function()
  local bad = weft.base_op(nil, never_ready, function() error("in block", 0) end)
  t.raises("^in block$", bad.perform, bad)
  local ch, e = weft.channel(), event()
  local choice = weft.choose(ch:get_op(), e.op, weft.sleep_op(3600), bad, ch:put_op(1))
  for i = 1, 10 do
    t.raises("^in block$", choice.perform, choice)
    weft.yield()
    t.eq(e.done, i)
    t.eq(e.fire(), 0)
    t.eq(ch:try_put(1), false)
    t.eq(ch:try_get(), false)
  end
  local s
  local keeps = weft.base_op(nil, never_ready, function(it)
    s = it
    error("after it was kept", 0)
  end)
  t.raises("^after it was kept$", keeps.perform, keeps)
  t.eq(s:waiting(), false)
  t.eq(s:complete(nil, 1), false)
end)

t.test("base_op: on_done runs when block raises, before the error is caught", function()
  local e = event()
  local bad = weft.base_op(nil, never_ready, function() error("in block", 0) end)
  local choice = weft.choose(e.op, bad)
  t.raises("^in block$", choice.perform, choice)
  t.eq(e.done, 1)
end)

t.test("base_op: completed in block, which then raises", function()
  local op = weft.base_op(nil, never_ready, function(s, wrap)
    s:complete(wrap, "completed")
    error("and raised", 0)
  end)
  t.raises("^and raised$", op.perform, op)
  for i = 1, 5 do
    t.eq(weft.always(i):perform(), i)
    weft.yield()
  end
  local ch = weft.channel()
  weft.spawn(function() ch:put "next" end)
  t.eq(ch:get(), "next")
end)

t.test("base_op: an error in on_done is raised by the perform", function()
  local op = weft.base_op(nil, never_ready, function(s, wrap)
    s:on_done(function() error("in on_done", 0) end)
    s:complete(wrap, "v")
  end)
  t.raises("^in on_done$", op.perform, op)
  weft.yield()
end)

t.test("base_op: try and block may try other operations", function()
  local ch = weft.channel(1)
  local op = weft.base_op(nil, function() return ch:get_op():try() end, function(s, wrap)
    local ok, v = ch:get_op():try()       -- looks again
    if ok then s:complete(wrap, v) end
  end)
  ch:put "there"
  t.eq(op:perform(), "there")
  local other = weft.channel()
  local f = weft.spawn(function() return weft.choose(other:get_op(), op, weft.sleep_op(3600)):perform() end)
  t.settle(2)
  t.eq(f:status(), "parked")
  other:put "by the other arm"
  t.eq(f:join(), "by the other arm")
  local seen
  local filling = weft.base_op(nil, never_ready, function(s, wrap)
    ch:put_op("put in block"):try()
    seen = s:waiting()
    local _, v = ch:get_op():try()
    s:complete(wrap, v)
  end)
  t.eq(filling:perform(), "put in block")
  t.eq(seen, true)
end)

t.test("base_op: block may spawn, put to a buffer, close, and complete others", function()
  local e, ch = event(), weft.channel(4)
  local f = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  local op = weft.base_op(nil, never_ready, function(s, wrap)
    e.fire "woken by a block function"
    ch:try_put(1)
    weft.spawn(function() s:complete(wrap, "by a fiber spawned in block") end)
  end)
  t.eq(op:perform(), "by a fiber spawned in block")
  t.eq(f:join(), "woken by a block function")
  t.eq(ch:get(), 1)
end)

t.test("base_op: many values", function()
  local n = 200
  local many = {}
  for i = 1, n do many[i] = i end
  many[n] = nil
  local e = event()
  local f = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  e.fire(unpack(many, 1, n))
  local got = t.pack(f:join())
  t.eq(got.n, n)
  for i = 1, n - 1 do t.eq(got[i], i) end
  local inside = weft.base_op(nil, never_ready, function(s, wrap) s:complete(wrap, unpack(many, 1, n)) end)
  t.eq(select("#", inside:perform()), n)
  local ready = weft.base_op(nil, function() return true, unpack(many, 1, n) end, function() end)
  t.eq(select("#", ready:perform()), n)
  t.eq(select("#", ready:try()), n + 1)
end)

t.test("base_op: misuse", function()
  t.misuse("base_op", function() weft.base_op() end)
  t.misuse("base_op", function() weft.base_op(nil, print) end)
  t.misuse("base_op", function() weft.base_op(1, print, print) end)
  local e = event()
  local f = weft.spawn(function() return e.op:perform() end)
  t.settle(2)
  local s = e.waiting[1].s
  t.misuse("on_done", function() s:on_done() end)
  t.misuse("waiting", function() s.waiting({}) end)
  e.fire()
  f:join()
end)

t.test("base_op: a barrier in twenty lines", function()
  local function barrier(n)
    local waiting = {}
    return weft.base_op(nil, function()
      if #waiting + 1 < n then return false end
      for _, w in ipairs(waiting) do w.s:complete(w.wrap) end
      waiting = {}
      return true
    end, function(s, wrap)
      local w = { s = s, wrap = wrap }
      waiting[#waiting + 1] = w
      s:on_done(function()
        for i, other in ipairs(waiting) do
          if other == w then return table.remove(waiting, i) end
        end
      end)
    end)
  end
  local op, log = barrier(3), {}
  weft.scope(function(s)
    for i = 1, 3 do
      s:spawn(function()
        for round = 1, 10 do
          if i == 2 then weft.yield() end
          op:perform()
          log[#log + 1] = round
        end
      end)
    end
  end)
  t.eq(#log, 30)
  for i = 2, 30 do t.truthy(log[i] >= log[i - 1]) end
  -- one that gives up leaves the others waiting
  t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(op, 0.001):perform())
  local a = weft.spawn(function() op:perform() end)
  local b = weft.spawn(function() op:perform() end)
  t.settle(3)
  t.eq(a:status(), "parked")
  op:perform()
  a:join()
  b:join()
end)

t.test("base_op: block never meets its own choice half way", function()
  local ch = weft.channel()
  local met
  local rendezvous = weft.base_op(nil, never_ready, function() met = ch:try_put "self" end)
  local f = weft.spawn(function() return weft.choose(ch:get_op(), rendezvous):perform() end)
  t.settle(3)
  t.eq(met, false)
  t.eq(f:status(), "parked")
  ch:put "third party"
  t.eq(f:join(), "third party")
  local taken
  local takes = weft.base_op(nil, never_ready, function() taken = ch:try_get() end)
  local g = weft.spawn(function()
    return weft.choose(ch:put_op("self"):wrap(value "put"), weft.channel():put_op(2), takes):perform()
  end)
  t.settle(3)
  t.eq(taken, false)
  t.eq(ch:get(), "self")
  t.eq(g:join(), "put")
end)

t.test("base_op: what block makes ready is seen", function()
  local ch, done = weft.channel(2), 0
  local fills = weft.base_op(nil, never_ready, function(s)
    s:on_done(function() done = done + 1 end)
    ch:put "filled"
  end)
  for i = 1, 5 do
    t.eq(weft.choose(weft.sleep_op(3600), ch:get_op(), fills):perform(), "filled")
    t.eq(done, i)
    t.eq(#ch, 0)
  end
  local closes = weft.channel()
  local closer = weft.base_op(nil, never_ready, function() closes:close() end)
  t.returns(t.pack(nil, "closed", "closed"), weft.choose(closes:get_op(), closer):perform())
end)

t.test("base_op: block may not wait", function()
  local ch, s = weft.channel(), nil
  local waits = weft.base_op(nil, never_ready, function(it)
    s = it
    ch:get()
  end)
  t.raises("", waits.perform, waits)
  t.eq(s:waiting(), false)
  t.eq(ch:try_put(1), false)
  local tries = weft.base_op(nil, never_ready, function(it)
    s = it
    t.pcall(function() weft.choose(ch:get_op(), ch:put_op(1)):perform() end)
  end)
  local choice = weft.choose(tries, ch:get_op())
  for _ = 1, 5 do
    t.raises("", choice.perform, choice)
    t.eq(s:complete(nil, 1), false)
    t.eq(ch:try_put(1), false)
    t.eq(ch:try_get(), false)
    weft.yield()
  end
  local cancels = weft.base_op(nil, never_ready, function(_, _)
    weft.self():cancel("in block")
    weft.always(1):try()
  end)
  local f = weft.spawn(function() weft.choose(weft.never(), cancels):perform() end)
  t.raises("in block", f.join, f)
end)

-- ---------------------------------------------------------------- guard

t.test("guard: runs at each perform, not when it is built", function()
  local runs = 0
  local op = weft.guard(function()
    runs = runs + 1
    return weft.always(runs, nil)
  end)
  local wrapped = op:wrap(function(...) return "w", ... end)
  local choice = weft.choose(wrapped, weft.never())
  t.eq(runs, 0)
  t.returns(t.pack(1, nil), op:perform())
  t.returns(t.pack("w", 2, nil), wrapped:perform())
  t.returns(t.pack("w", 3, nil), choice:perform())
  t.returns(t.pack(true, 4, nil), op:try())
  t.returns(t.pack(5, nil), op:perform_alt(function() return "default" end))
  t.eq(runs, 5)
end)

t.test("guard: once in each perform, however often the arms are looked at", function()
  local runs, ch = 0, weft.channel()
  local op = weft.choose(weft.guard(function()
    runs = runs + 1
    return ch:get_op()
  end), weft.sleep_op(3600))
  local f = weft.spawn(function() return op:perform() end)
  t.settle(5)
  t.eq(runs, 1)
  ch:put "v"
  t.eq(f:join(), "v")
  t.eq(runs, 1)
end)

t.test("guard: runs in the performer, and may block", function()
  local who, ch = nil, weft.channel()
  local op = weft.guard(function()
    who = weft.self()
    return weft.always(ch:get())
  end)
  local f = weft.spawn(function() return op:perform() end)
  ch:put "for the guard"
  t.eq(f:join(), "for the guard")
  t.eq(who, f)
end)

t.test("guard: a guard that gives a guard, a choice, a default", function()
  local deep = weft.always "bottom"
  for _ = 1, 30 do
    local inner = deep
    deep = weft.guard(function() return inner end)
  end
  t.eq(deep:perform(), "bottom")
  local choice = weft.guard(function() return weft.choose(weft.never(), weft.always "b") end)
  t.eq(choice:perform(), "b")
  local default = weft.guard(function() return weft.never():or_else(value("d", nil)) end)
  t.returns(t.pack("d", nil), default:perform())
  t.eq(weft.choose(default, weft.always "ready"):perform(), "ready")
  local two = weft.choose(default, weft.guard(function() return weft.never():or_else(value "e") end))
  t.raises("default", two.perform, two)
end)

t.test("guard: an error in it is raised, nacks made before it are signalled", function()
  local arm, is = nacked(weft.always "ready")
  local bad = weft.guard(function() error("in the guard", 0) end)
  local choice = weft.choose(arm, bad)
  t.raises("^in the guard$", choice.perform, choice)
  t.eq(is(), true)
  t.raises("^in the guard$", choice.try, choice)
  t.eq(is(), true)
  local aborted = 0
  choice = weft.choose(weft.never():on_abort(function() aborted = aborted + 1 end), bad)
  t.raises("^in the guard$", choice.perform, choice)
  t.eq(aborted, 1)
end)

t.test("guard: what is no operation is refused", function()
  for _, v in ipairs { 1, "x", print, {} } do
    local op = weft.guard(function() return v end)
    t.raises("guard", op.perform, op)
  end
  local op = weft.guard(function() end)
  t.raises("guard", op.perform, op)
  t.misuse("guard", function() weft.guard(1) end)
  t.misuse("guard", function() weft.guard() end)
end)

t.test("guard: cancelled while it blocks", function()
  local arm, is = nacked(weft.never())
  local f = weft.spawn(function()
    weft.choose(arm, weft.guard(function()
      weft.sleep(3600)
      return weft.never()
    end)):perform()
  end)
  t.settle(2)
  f:cancel()
  t.raises("cancelled", f.join, f)
  t.eq(is(), true)
end)

-- ---------------------------------------------------------------- with_nack

t.test("with_nack: signalled for a loser, never for the winner", function()
  local a, is_a = nacked(weft.always "a")
  local b, is_b = nacked(weft.never())
  t.eq(weft.choose(a, b):perform(), "a")
  t.eq(is_a(), false)
  t.eq(is_b(), true)
  local ch = weft.channel()
  a, is_a = nacked(ch:get_op())
  b, is_b = nacked(weft.channel():get_op())
  local f = weft.spawn(function() return weft.choose(a, b):perform() end)
  t.settle(2)
  t.eq(is_a(), false)
  t.eq(is_b(), false)
  ch:put "v"
  t.eq(f:join(), "v")
  t.eq(is_a(), false)
  t.eq(is_b(), true)
end)

t.test("with_nack: signalled before the performer goes on", function()
  local b, is = nacked(weft.never())
  local in_wrap
  weft.choose(weft.always(1):wrap(function() in_wrap = is() end), b):perform()
  t.eq(in_wrap, true)
  t.eq(is(), true)
end)

t.test("with_nack: a waiter of the nack is woken", function()
  local log, ch = {}, weft.channel()
  local arm = weft.with_nack(function(nack)
    weft.spawn(function()
      t.returns(t.pack(), nack:perform())
      log[#log + 1] = "nacked"
      nack:perform()                      -- it stays signalled
      log[#log + 1] = "again"
    end)
    return ch:get_op()
  end)
  local choice = weft.choose(arm, weft.sleep_op(0.002):wrap(value "late"))
  t.eq(choice:perform(), "late")
  t.settle(3)
  t.same(log, { "nacked", "again" })
end)

t.test("with_nack: the winner's nack never comes, its waiter can be told otherwise", function()
  local ch, log = weft.channel(1), {}
  ch:put "v"
  weft.scope(function(s)
    local arm = weft.with_nack(function(nack)
      s:daemon(function()
        nack:perform()
        log[#log + 1] = "nacked"
      end)
      return ch:get_op()
    end)
    t.eq(weft.choose(arm, weft.sleep_op(3600)):perform(), "v")
    weft.sleep(0.002)
  end)
  t.same(log, {})
end)

t.test("with_nack: an arm that was never published", function()
  -- The winner completes in its block function, before the arm behind it is published.
  local first = weft.base_op(nil, never_ready, function(s, wrap) s:complete(wrap, "first") end)
  local behind, is = nacked(weft.channel():get_op())
  t.eq(weft.choose(first, behind):perform(), "first")
  t.eq(is(), true)
end)

t.test("with_nack: under try, won and lost", function()
  local a, is_a = nacked(weft.always "a")
  t.returns(t.pack(true, "a"), a:try())
  t.eq(is_a(), false)
  local b, is_b = nacked(weft.never())
  t.returns(t.pack(false), b:try())
  t.eq(is_b(), true, "a try that was not ready is a loss")
  t.returns(t.pack(true, "a"), weft.choose(a, b):try())
  t.eq(is_a(), false)
  t.eq(is_b(), true)
end)

t.test("with_nack: under or_else and perform_alt", function()
  local a, is_a = nacked(weft.never())
  t.eq(a:perform_alt(value "default"), "default")
  t.eq(is_a(), true)
  local seen_in_default
  t.eq(a:or_else(function()
    seen_in_default = is_a()
    return "d"
  end):perform(), "d")
  t.eq(seen_in_default, true)
  local b, is_b = nacked(weft.always "b")
  t.eq(weft.choose(b, a:or_else(value "d")):perform(), "b")
  t.eq(is_b(), false)
  t.eq(is_a(), true)
  t.returns(t.pack(true, "d", nil), weft.choose(a, weft.never()):or_else(value("d", nil)):try())
  t.eq(is_a(), true)
end)

t.test("with_nack: cancelled signals all, also those that were ready", function()
  local a, is_a, seen_a = nacked(weft.never())
  local b, is_b = nacked(weft.channel():get_op())
  local f = weft.spawn(function() weft.choose(a, b):perform() end)
  t.settle(2)
  t.eq(#seen_a, 1)
  f:cancel()
  t.raises("cancelled", f.join, f)
  t.eq(is_a(), true)
  t.eq(is_b(), true)
  -- cancelled before the perform: the guards may run or not; what was made is signalled
  local ready, is_ready, seen = nacked(weft.always(1))
  local g = weft.spawn(function()
    t.pcall(weft.sleep, 3600)
    ready:perform()
  end)
  t.settle(2)
  g:cancel()
  t.raises("cancelled", g.join, g)
  for i = 1, #seen do t.eq(is_ready(i), true) end
end)

t.test("with_nack: a choice that is signalled because its put raised", function()
  local ch = weft.channel()
  ch:close()
  local put, is_put = nacked(ch:put_op(1))
  local b, is_b = nacked(weft.never())
  local choice = weft.choose(put, b)
  t.raises("closed", choice.perform, choice)
  t.eq(is_put(), false, "it was chosen")
  t.eq(is_b(), true)
end)

t.test("with_nack: an error in a wrap of the winner: the losers have been signalled", function()
  local a, is_a = nacked(weft.always(1))
  local b, is_b = nacked(weft.never())
  local choice = weft.choose(a:wrap(function() error("in the wrap", 0) end), b)
  t.raises("^in the wrap$", choice.perform, choice)
  t.eq(is_a(), false)
  t.eq(is_b(), true)
end)

t.test("with_nack: nested", function()
  -- The outer arm is a choice of two: the nack of the outer is signalled only if neither wins.
  local function make(inner_1, inner_2)
    local inner_a, is_inner_a = nacked(inner_1)
    local inner_b, is_inner_b = nacked(inner_2)
    local outer, is_outer = nacked(weft.choose(inner_a, inner_b))
    return outer, is_outer, is_inner_a, is_inner_b
  end
  local outer, is_outer, is_a, is_b = make(weft.always "a", weft.never())
  local other, is_other = nacked(weft.never())
  t.eq(weft.choose(outer, other):perform(), "a")
  t.eq(is_outer(), false)
  t.eq(is_a(), false)
  t.eq(is_b(), true)
  t.eq(is_other(), true)
  outer, is_outer, is_a, is_b = make(weft.never(), weft.never())
  t.eq(weft.choose(outer, weft.always "z"):perform(), "z")
  t.eq(is_outer(), true)
  t.eq(is_a(), true)
  t.eq(is_b(), true)
end)

t.test("with_nack: one fresh nack a perform, also when performed by many at once", function()
  local ch, made = weft.channel(), {}
  local arm = weft.with_nack(function(nack)
    made[#made + 1] = nack
    return ch:get_op()
  end)
  local over = weft.latch(1)
  local choice = weft.choose(arm, over:wait_op():wrap(value "late"))
  local got = {}
  weft.scope(function(s)
    for _ = 1, 10 do
      s:spawn(function()
        local v = choice:perform()
        got[#got + 1] = v
      end)
    end
    t.settle(2)
    for i = 1, 4 do ch:put(i) end
    over:count_down()
  end)
  t.eq(#made, 10)
  local nacks, late = 0, 0
  for _, nack in ipairs(made) do if signalled(nack) then nacks = nacks + 1 end end
  for _, g in ipairs(got) do if g == "late" then late = late + 1 end end
  t.eq(late, 6)
  t.eq(nacks, 6)
end)

t.test("with_nack: a nack is an operation like any other", function()
  local arm = {}
  local op = weft.with_nack(function(nack)
    arm.nack = nack
    return weft.never()
  end)
  weft.choose(op, weft.always(1)):perform()
  t.eq(weft.choose(arm.nack:wrap(value "signalled"), weft.sleep_op(3600)):perform(), "signalled")
  t.eq(weft.choose(weft.never(), arm.nack):wrap(value "nested"):perform(), "nested")
  t.eq(arm.nack:perform_alt(value "not"), nil)
end)

t.test("with_nack: waiting for its own nack in the arm itself", function()
  -- The arm waits for its own nack or a channel: it is lost to the other arm, nobody is stuck.
  local op = weft.with_nack(function(nack) return nack:wrap(value "own nack") end)
  t.eq(weft.choose(op, weft.sleep_op(0.001):wrap(value "other")):perform(), "other")
end)

t.test("with_nack: an error in its function signals the nack of that arm", function()
  local kept
  local bad = weft.with_nack(function(nack)
    kept = nack
    error("in with_nack", 0)
  end)
  t.raises("^in with_nack$", bad.perform, bad)
  t.eq(signalled(kept), true)
  t.misuse("with_nack", function() weft.with_nack({}) end)
  local none = weft.with_nack(function() return "no operation" end)
  t.raises("with_nack", none.perform, none)
end)

t.test("nacks balance: a request is either served or taken back", function()
  -- The server of Reppy's book: each request carries its nack; served + nacked = requests.
  local requests, served, given_up = weft.channel(), 0, 0
  weft.scope(function(s)
    s:daemon(function()
      local waiting = {}
      while true do
        local r = requests:get()
        waiting[#waiting + 1] = r
        if #waiting == 3 then             -- serves the newest, then the rest
          for i = 3, 1, -1 do
            local q = waiting[i]
            weft.choose(q.reply:put_op(i):wrap(function() served = served + 1 end),
              q.nack:wrap(function() given_up = given_up + 1 end)):perform()
          end
          waiting = {}
        end
      end
    end)
    local function request()
      return weft.with_nack(function(nack)
        local reply = weft.channel()
        weft.spawn(function() requests:put { reply = reply, nack = nack } end)
        return reply:get_op()
      end)
    end
    weft.scope(function(clients)
      for i = 1, 30 do
        clients:spawn(function()
          if i % 3 == 0 then
            weft.timeout(request(), 0.0005):perform()
          else
            request():perform()
          end
        end)
      end
    end)
    t.eventually(function() return served + given_up >= 30 end)
    t.settle()
    t.eq(served + given_up, 30)
    t.truthy(served >= 20)
  end)
end)

-- ---------------------------------------------------------------- on_abort

t.test("on_abort: for a loser, a cancelled and a never-published arm; not for the winner", function()
  local log = {}
  local function noted(op, name) return op:on_abort(function() log[#log + 1] = name end) end
  t.eq(weft.choose(noted(weft.always "w", "winner"), noted(weft.never(), "loser")):perform(), "w")
  t.same(log, { "loser" })
  log = {}
  local first = weft.base_op(nil, never_ready, function(s, wrap) s:complete(wrap, "first") end)
  weft.choose(noted(first, "first"), noted(weft.never(), "behind")):perform()
  t.same(log, { "behind" })
  log = {}
  t.eq(noted(weft.never(), "tried"):try(), false)
  t.same(log, { "tried" })
  log = {}
  t.eq(noted(weft.never(), "or_else"):perform_alt(value "d"), "d")
  t.same(log, { "or_else" })
  log = {}
  local f = weft.spawn(function()
    weft.choose(noted(weft.never(), "a"), noted(weft.channel():get_op(), "b")):perform()
  end)
  t.settle(2)
  f:cancel()
  t.raises("cancelled", f.join, f)
  table.sort(log)
  t.same(log, { "a", "b" })
end)

t.test("on_abort: exactly once, and in the performer", function()
  local count, who = 0, nil
  local op = weft.never():on_abort(function()
    count = count + 1
    who = weft.self()
  end)
  local choice = weft.choose(op, weft.sleep_op(0.001))
  local f = weft.spawn(function() choice:perform() end)
  f:join()
  t.eq(count, 1)
  t.eq(who, f)
  choice:perform()
  t.eq(count, 2)
end)

t.test("on_abort: may block", function()
  local ch, got = weft.channel(), nil
  local op = weft.never():on_abort(function() got = ch:get() end)
  weft.spawn(function() ch:put "clean" end)
  weft.choose(op, weft.always(1)):perform()
  t.eq(got, "clean")
end)

t.test("on_abort: blocks under shield when cancelled", function()
  local finished
  local op = weft.never():on_abort(function()
    weft.shield(function()
      weft.sleep(0.002)
      finished = true
    end)
  end)
  local f = weft.spawn(function() op:perform() end)
  t.settle(2)
  f:cancel()
  t.raises("cancelled", f.join, f)
  t.eq(finished, true)
end)

t.test("on_abort: an error in one does not keep the others from running", function()
  local log = {}
  local function arm(name, fails)
    return weft.never():on_abort(function()
      log[#log + 1] = name
      if fails then error("abort " .. name, 0) end
    end)
  end
  local choice = weft.choose(arm("a", true), weft.always(1), arm("b"), arm("c", true))
  t.raises("^abort a$", choice.perform, choice)
  table.sort(log)
  t.same(log, { "a", "b", "c" })
  weft.yield()
end)

t.test("on_abort: around a choice, once if none of its arms wins", function()
  local count = 0
  local group = weft.choose(weft.never(), weft.never(), weft.never()):on_abort(function() count = count + 1 end)
  weft.choose(group, weft.always(1)):perform()
  t.eq(count, 1)
  local won = weft.choose(weft.never(), weft.always "in"):on_abort(function() count = count + 1 end)
  t.eq(weft.choose(won, weft.never()):perform(), "in")
  t.eq(count, 1)
end)

t.test("on_abort: wraps inside and outside it", function()
  local function add(c) return function(s) return s .. c end end
  local op = weft.always("x"):wrap(add "1"):on_abort(function() end):wrap(add "2")
  t.eq(op:perform(), "x12")
  t.eq(weft.choose(op:wrap(add "3"), weft.never()):wrap(add "4"):perform(), "x1234")
  t.misuse("on_abort", function() weft.never():on_abort() end)
  t.misuse("on_abort", function() weft.never().on_abort(1, print) end)
end)

-- ---------------------------------------------------------------- bracket

local function resource()
  local r = { acquired = 0, released = 0, lost = 0 }
  function r.bracket(use)
    return weft.bracket(function()
      r.acquired = r.acquired + 1
      return { id = r.acquired }
    end, function(x, lost)
      if x.released then error "released twice" end
      x.released = true
      r.released = r.released + 1
      if lost then r.lost = r.lost + 1 end
    end, use)
  end
  function r.check(acquired, lost)
    t.eq(r.acquired, acquired)
    t.eq(r.released, acquired)
    t.eq(r.lost, lost)
  end
  return r
end

t.test("bracket: released once when it wins, with the values", function()
  local r = resource()
  local op = r.bracket(function(x) return weft.always(x.id, nil) end)
  r.check(0, 0)
  t.returns(t.pack(1, nil), op:perform())
  r.check(1, 0)
  t.returns(t.pack(true, 2, nil), op:try())
  r.check(2, 0)
  t.returns(t.pack(3, nil), weft.choose(op, weft.never()):perform())
  r.check(3, 0)
end)

t.test("bracket: released once when it loses, is cancelled, is only tried", function()
  local r = resource()
  local op = r.bracket(function() return weft.never() end)
  weft.choose(op, weft.always(1)):perform()
  r.check(1, 1)
  weft.choose(op, weft.sleep_op(0.001)):perform()
  r.check(2, 2)
  t.eq(op:try(), false)
  r.check(3, 3)
  op:perform_alt(value(1))
  r.check(4, 4)
  local f = weft.spawn(function() op:perform() end)
  t.settle(2)
  t.eq(r.released, 4)
  f:cancel()
  t.raises("cancelled", f.join, f)
  r.check(5, 5)
end)

t.test("bracket: released when use raises, or gives no operation", function()
  local r = resource()
  local op = r.bracket(function() error("in use", 0) end)
  t.raises("^in use$", op.perform, op)
  r.check(1, 1)
  op = r.bracket(function() return 1 end)
  t.raises("bracket", op.perform, op)
  r.check(2, 2)
end)

t.test("bracket: released when the operation raises", function()
  local r = resource()
  local op = r.bracket(function()
    return weft.base_op(nil, function() error("in try", 0) end, function() end)
  end)
  t.raises("^in try$", op.perform, op)
  t.eq(r.released, 1)
  op = r.bracket(function()
    return weft.base_op(nil, never_ready, function() error("in block", 0) end)
  end)
  t.raises("^in block$", op.perform, op)
  t.eq(r.released, 2)
  local closed = weft.channel()
  closed:close()
  op = r.bracket(function() return closed:put_op(1) end)
  t.raises("closed", op.perform, op)
  t.eq(r.released, 3, "the arm was chosen and raised")
  op = r.bracket(function() return weft.always(1):wrap(function() error("in a wrap inside", 0) end) end)
  t.raises("^in a wrap inside$", op.perform, op)
  t.eq(r.released, 4, "a wrap inside raised")
end)

t.test("bracket: released when a guard beside it raises, when acquire raises nothing is", function()
  local r = resource()
  local op = weft.choose(r.bracket(function() return weft.always(1) end),
    weft.guard(function() error("beside", 0) end))
  t.raises("^beside$", op.perform, op)
  r.check(1, 1)
  local released = 0
  op = weft.bracket(function() error("no resource", 0) end, function() released = released + 1 end, print)
  t.raises("^no resource$", op.perform, op)
  t.eq(released, 0)
end)

t.test("bracket: a default inside is a loss; released once", function()
  local r = resource()
  local op = r.bracket(function() return weft.never():or_else(value("d", nil)) end)
    :wrap(function(...) return "w", ... end)
  t.returns(t.pack("w", "d", nil), op:perform())
  r.check(1, 1)
  t.eq(weft.choose(op, weft.always "ready"):perform(), "ready")
  r.check(2, 2)
end)

t.test("bracket: nested, the inner is released first", function()
  local log = {}
  local function bracket(name, use)
    return weft.bracket(function() log[#log + 1] = "+" .. name end, function(_, lost)
      log[#log + 1] = (lost and "!" or "-") .. name
    end, use)
  end
  local op = bracket("a", function() return bracket("b", function() return weft.always "v" end) end)
  t.eq(op:perform(), "v")
  t.eq(table.concat(log, " "), "+a +b -b -a")
  log = {}
  op = bracket("a", function() return weft.choose(weft.always "w", bracket("b", weft.never)) end)
  t.eq(op:perform(), "w")
  t.eq(table.concat(log, " "), "+a +b !b -a")
end)

t.test("bracket: a wrap outside sees a released resource", function()
  local r, seen = resource(), nil
  local op = r.bracket(function(x) return weft.always(x) end):wrap(function(x) seen = x.released end)
  op:perform()
  t.eq(seen, true)
end)

t.test("bracket: several in one choice, all released", function()
  local list, ops = {}, {}
  for i = 1, 5 do
    list[i] = resource()
    ops[i] = list[i].bracket(function() return i == 3 and weft.always(i) or weft.never() end)
  end
  t.eq(weft.choose(ops):perform(), 3)
  for i = 1, 5 do list[i].check(1, i == 3 and 0 or 1) end
  t.misuse("bracket", function() weft.bracket() end)
  t.misuse("bracket", function() weft.bracket(print, print, 1) end)
end)

-- ---------------------------------------------------------------- always, never, timeout

t.test("always: any values", function()
  t.returns(t.pack(), weft.always():perform())
  t.returns(t.pack(nil), weft.always(nil):perform())
  t.returns(t.pack(nil, nil, nil), weft.always(nil, nil, nil):perform())
  t.returns(t.pack(1, nil, false, nil), weft.always(1, nil, false, nil):perform())
  t.returns(t.pack(true, nil), weft.always(nil):try())
  t.returns(t.pack(true), weft.always():try())
end)

t.test("never: not even once", function()
  t.eq(weft.never():try(), false)
  t.eq(weft.choose(weft.never(), weft.sleep_op(0.001):wrap(value "slept"), weft.never()):perform(), "slept")
  t.eq(weft.never():perform_alt(value "d"), "d")
  local f = weft.spawn(function() weft.never():perform() end)
  t.settle(3)
  t.eq(f:status(), "parked")
  f:cancel()
  t.raises("cancelled", f.join, f)
end)

t.test("timeout without a number is its caller's mistake, the first time too", function()
  local result = t.program [[
    local weft = require "weft"
    print(pcall(function() weft.timeout(weft.never()) end))
    weft.timeout(weft.never(), 1)
    print(pcall(function() weft.timeout(weft.never()) end))]]
  t.eq(select(2, result.out:gsub("bad argument #2 to 'timeout'", "")), 2, result.out .. result.err)
end)

t.test("timeout: the operation, or nil and timeout twice", function()
  t.returns(t.pack("v", nil), weft.timeout(weft.always("v", nil), 3600):perform())
  t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(weft.never(), 0.001):perform())
  local took = t.timed(function() weft.timeout(weft.never(), 0.02):perform() end)
  t.truthy(took >= 0.02, "never early")
  local op = weft.timeout(weft.never(), 0.005)
  t.truthy(t.timed(op.perform, op) >= 0.005)
  t.truthy(t.timed(op.perform, op) >= 0.005, "counts from each perform")
  t.eq(weft.choose(weft.timeout(weft.never(), math.huge), weft.sleep_op(0.001):wrap(value "b")):perform(), "b")
  t.misuse("", function() weft.timeout(weft.never()) end)
  t.misuse("", function() weft.timeout(1, 1) end)
end)

t.test("timeout: zero and negative still try the operation", function()
  local wins = 0
  for _ = 1, 50 do
    if weft.timeout(weft.always(true), -1):perform() then wins = wins + 1 end
  end
  t.truthy(wins > 0)
  t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(weft.never(), -1):perform())
  t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(weft.never(), 0):perform())
end)

t.test("timeout: nested, the shorter wins; of guards and choices", function()
  local op = weft.timeout(weft.timeout(weft.never(), 0.001):wrap(function(...) return "inner", ... end), 30)
  t.returns(t.pack("inner", nil, "timeout", "timeout"), op:perform())
  local arm, is = nacked(weft.never())
  t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(weft.choose(arm, weft.never()), 0.001):perform())
  t.eq(is(), true)
end)

-- ---------------------------------------------------------------- race

t.test("race: of operations is a choice", function()
  t.returns(t.pack("a", nil), weft.race { weft.never(), weft.always("a", nil) }:perform())
  t.misuse("race", function() weft.race(1) end)
  t.misuse("", function() weft.race {} end)
  t.misuse("", function() weft.race { 1 } end)
end)

t.test("race: of functions; the losers are cancelled and joined before it returns", function()
  local log = {}
  local function runner(name, seconds)
    return function()
      local ok, e = t.pcall(weft.sleep, seconds)
      if not ok then
        log[#log + 1] = name .. (weft.is_cancelled(e) and " cancelled" or " failed")
        error(e, 0)
      end
      return name, nil
    end
  end
  t.returns(t.pack("fast", nil), weft.race { runner("slow", 60), runner("fast", 0.001), runner("x", 60) }:perform())
  table.sort(log)
  t.same(log, { "slow cancelled", "x cancelled" })
end)

t.test("race: functions beside operations, and a race performed twice", function()
  local runs = 0
  local race = weft.race { function()
    runs = runs + 1
    weft.sleep(3600)
  end, weft.sleep_op(0.001):wrap(value "op") }
  t.eq(runs, 0)
  t.eq(race:perform(), "op")
  t.eq(race:perform(), "op")
  t.eq(runs, 2)
end)

t.test("race: the first to end decides, also by an error", function()
  local ended
  local race = weft.race { function()
    weft.yield()
    error("lost its way", 0)
  end, function()
    weft.defer(function() ended = true end)
    weft.sleep(3600)
  end }
  t.raises("^lost its way$", race.perform, race)
  t.eq(ended, true)
  weft.yield()
end)

-- ---------------------------------------------------------------- select

t.test("select: the name and the values", function()
  t.returns(t.pack("a", 1, nil), weft.select { a = weft.always(1, nil), b = weft.never() })
  t.returns(t.pack("b"), weft.select { a = weft.never(), b = weft.always() })
  t.returns(t.pack(2, "v"), weft.select { weft.never(), weft.always "v" })
  local op = weft.select_op { x = weft.always(nil), y = weft.never() }
  t.returns(t.pack("x", nil), op:perform())
  t.returns(t.pack(true, "x", nil), op:try())
  local key = {}
  t.returns(t.pack(key, "v"), weft.select { [key] = weft.always "v" })
end)

t.test("select: waits, and takes a default", function()
  local a, b = weft.channel(), weft.channel()
  weft.spawn(function() b:put "v" end)
  t.returns(t.pack("b", "v"), weft.select { a = a:get_op(), b = b:get_op() })
  t.returns(t.pack("none"), weft.select_op { a = a:get_op() }:or_else(value "none"):perform())
  t.returns(t.pack("d", "default"), weft.select { a = a:get_op(), d = weft.never():or_else(value "default") })
  t.misuse("select", function() weft.select { a = 1 } end)
  t.misuse("select", function() weft.select(1) end)
  t.misuse("", function() weft.select {} end)
end)

-- ---------------------------------------------------------------- or_else

t.test("or_else: of two, raises, however they are put together", function()
  local a, b = weft.never():or_else(value(1)), weft.never():or_else(value(2))
  t.raises("default", function() weft.choose(a, b) end)
  t.raises("default", function() weft.choose(weft.choose(a, weft.never()), b):perform() end)
  t.raises("default", function() a:or_else(value(3)):perform() end)
  t.raises("default", function() a:perform_alt(value(3)) end)
  t.raises("default", function() weft.select { a = a, b = b } end)
  local guarded = weft.guard(function() return a end)
  t.raises("default", function() weft.choose(guarded, b):perform() end)
  t.raises("default", function() guarded:or_else(value(3)):perform() end)
end)

t.test("or_else: every arm is tried first, wherever the default stands", function()
  for _ = 1, 20 do
    for place = 1, 3 do
      local arms = { weft.never(), weft.never(), weft.never() }
      arms[place] = weft.never():or_else(value "default")
      arms[place % 3 + 1] = weft.always "ready"
      t.eq(weft.choose(arms):perform(), "ready")
      arms[place % 3 + 1] = weft.guard(function() return weft.always "guarded" end)
      t.eq(weft.choose(arms):perform(), "guarded")
    end
  end
end)

t.test("or_else: the wraps around it apply to the default", function()
  local op = weft.never():or_else(value(nil, 2, nil)):wrap(function(...) return select("#", ...), ... end)
  t.returns(t.pack(3, nil, 2, nil), op:perform())
  local function add(c) return function(s) return s .. c end end
  op = weft.choose(weft.never():wrap(add "no"):or_else(value "d"):wrap(add "1"), weft.never()):wrap(add "2")
  t.eq(op:perform(), "d12")
  op = weft.guard(function() return weft.never():or_else(value "g"):wrap(add "1") end):wrap(add "2")
  t.eq(op:perform(), "g12")
end)

t.test("or_else: the default may block, and may raise", function()
  t.eq(weft.never():perform_alt(function()
    weft.sleep(0.001)
    return "slept"
  end), "slept")
  t.raises("^in the default$", function()
    weft.never():perform_alt(function() error("in the default", 0) end)
  end)
  t.misuse("or_else", function() weft.never():or_else() end)
  t.misuse("perform_alt", function() weft.never():perform_alt(1) end)
end)

t.test("or_else: nothing is left behind", function()
  local ch, e = weft.channel(), event()
  for _ = 1, 100 do
    t.eq(weft.choose(ch:get_op(), ch:put_op(1), e.op):perform_alt(value "d"), "d")
  end
  t.eq(ch:try_put(1), false)
  t.eq(ch:try_get(), false)
  t.eq(e.blocks, 0)
end)

-- ---------------------------------------------------------------- values

t.test("nils and trailing nils pass through every combinator", function()
  local values = { t.pack(), t.pack(nil), t.pack(nil, nil), t.pack(1, nil), t.pack(nil, 2, nil), t.pack(false, nil) }
  local through = {
    plain = function(op) return op end,
    wrap = function(op) return op:wrap(function(...) return ... end) end,
    choose = function(op) return weft.choose(op, weft.never()) end,
    guard = function(op) return weft.guard(function() return op end) end,
    with_nack = function(op) return weft.with_nack(function() return op end) end,
    on_abort = function(op) return op:on_abort(function() end) end,
    or_else = function(op) return op:or_else(value "default") end,
    timeout = function(op) return weft.timeout(op, 60) end,
    race = function(op) return weft.race { op, weft.never() } end,
    bracket = function(op) return weft.bracket(function() return 1 end, function() end, function() return op end) end,
    race_of_functions = function(op) return weft.race { function() return op:perform() end } end,
    scope_op = function(op) return weft.scope_op(function() return op:perform() end) end,
  }
  for name, build in pairs(through) do
    for _, v in ipairs(values) do
      local op = build(weft.always(unpack(v, 1, v.n)))
      local got = t.pack(op:perform())
      t.eq(got.n, v.n, name)
      t.same(got, v, name)
      if name ~= "race_of_functions" and name ~= "scope_op" then
        got = t.pack(op:try())
        t.eq(got.n, v.n + 1, name)
      end
      local waits = build(weft.base_op(nil, never_ready, function(s, wrap)
        weft.spawn(function() s:complete(wrap, unpack(v, 1, v.n)) end)
      end))
      if name ~= "or_else" then
        got = t.pack(waits:perform())
        t.eq(got.n, v.n, name .. " waiting")
        t.same(got, v, name .. " waiting")
      end
    end
  end
end)

t.test("nil is a message like any other in a choice", function()
  local ch = weft.channel()
  weft.spawn(function() ch:put(nil) end)
  t.returns(t.pack(nil), weft.choose(ch:get_op(), weft.sleep_op(3600)):perform())
  local buffered = weft.channel(2)
  buffered:put(nil)
  t.returns(t.pack(true, nil), buffered:get_op():try())
end)

-- ---------------------------------------------------------------- operations as values

t.test("one operation of every kind, performed by many fibers at once", function()
  local n = 20
  local ch = weft.channel()
  local forms = {
    ch:get_op(),
    ch:get_op():wrap(function(v) return v end),
    weft.choose(ch:get_op(), weft.never()),
    weft.guard(function() return ch:get_op() end),
    weft.with_nack(function() return ch:get_op() end),
    ch:get_op():on_abort(function() error "not aborted" end),
    weft.bracket(function() return {} end, function() end, function() return ch:get_op() end),
    weft.timeout(ch:get_op(), 60),
    weft.scope_op(function() return ch:get() end),
  }
  for i, op in ipairs(forms) do
    local sum = 0
    weft.scope(function(s)
      for _ = 1, n do
        s:spawn(function()
          local v = op:perform()
          sum = sum + v
        end)
      end
      for k = 1, n do ch:put(k) end
    end)
    t.eq(sum, n * (n + 1) / 2, "form " .. i)
  end
end)

t.test("an operation is performed inside its own wrap and guard", function()
  local depth = 0
  local op
  op = weft.guard(function()
    depth = depth + 1
    if depth < 20 then return weft.always(op:perform()) end
    return weft.always "bottom"
  end)
  t.eq(op:perform(), "bottom")
  local count, wrapped = 0, nil
  wrapped = weft.always():wrap(function()
    count = count + 1
    return count < 20 and wrapped:perform() or count
  end)
  t.eq(wrapped:perform(), 20)
end)

t.test("choices nested to depth 50", function()
  local chans, deep = {}, weft.never()
  for i = 1, 50 do
    chans[i] = weft.channel()
    deep = weft.choose(deep, chans[i]:get_op():wrap(function(v) return i, v end))
      :wrap(function(...) return ... end)
  end
  for _, i in ipairs { 1, 2, 25, 49, 50 } do
    weft.spawn(function() chans[i]:put("v" .. i) end)
    t.returns(t.pack(i, "v" .. i), deep:perform())
  end
  for i = 1, 50 do t.eq(chans[i]:try_put(1), false) end
end)

t.test("guards and nacks nested to depth 50", function()
  local nacks, wins = {}, weft.channel(1)
  local deep = wins:get_op()
  for i = 1, 50 do
    local inner = deep
    deep = weft.choose(weft.with_nack(function(nack)
      nacks[i] = nack
      return weft.guard(function() return inner end)
    end), weft.never():on_abort(function() nacks[-i] = true end))
  end
  wins:put "won"
  t.eq(deep:perform(), "won")
  for i = 1, 50 do
    t.eq(signalled(nacks[i]), false)
    t.eq(nacks[-i], true)
  end
  nacks = {}
  t.eq(weft.choose(deep, weft.sleep_op(0.001):wrap(value "lost")):perform(), "lost")
  for i = 1, 50 do
    t.eq(signalled(nacks[i]), true)
    t.eq(nacks[-i], true)
  end
end)

t.test("a wrap chain of length 1,000", function()
  local op = weft.always(0)
  local n = t.scale(1000, 100)
  for _ = 1, n do op = op:wrap(function(v) return v + 1 end) end
  t.eq(op:perform(), n)
  local ch = weft.channel()
  local slow = ch:get_op()
  for _ = 1, 100 do slow = slow:wrap(function(v) return v + 1 end) end
  weft.spawn(function() ch:put(0) end)
  t.eq(slow:perform(), 100)
end)

t.test("dynamic choices of ready arms are fair", function()
  local counts = { 0, 0, 0, 0 }
  local arms = {}
  for i = 1, 4 do arms[i] = weft.guard(function() return weft.always(i) end) end
  local choice = weft.choose(arms)
  local n = t.scale(4000, 1000)
  for _ = 1, n do
    local i = choice:perform()
    counts[i] = counts[i] + 1
  end
  for i = 1, 4 do t.share(counts[i], n, 1 / 4, "arm " .. i) end
end)

t.test("base operations that are ready are chosen fairly", function()
  local counts, arms = { 0, 0, 0 }, {}
  for i = 1, 3 do arms[i] = weft.base_op(nil, function() return true, i end, function() end) end
  local choice = weft.choose(arms)
  local n = t.scale(3000, 900)
  for _ = 1, n do
    local i = choice:perform()
    counts[i] = counts[i] + 1
  end
  for i = 1, 3 do t.share(counts[i], n, 1 / 3, "arm " .. i) end
end)

t.test("operations are refused outside a fiber", function()
  local co = coroutine.wrap(function() return weft.always(1):perform() end)
  t.eq(co(), 1)                           -- inside a coroutine of a fiber is fine
end)

t.outside("perform outside a fiber names the cure", function()
  t.raises("weft.run", function() weft.always(1):perform() end)
  t.raises("weft.run", function() weft.always(1):try() end)
  t.raises("weft.run", function() weft.guard(function() return weft.always(1) end):perform() end)
end)

t.test("memory is flat over choices with guards and nacks", function()
  local ch = weft.channel()
  local choice = weft.choose(
    weft.with_nack(function() return ch:get_op() end),
    weft.guard(function() return weft.sleep_op(1000) end),
    weft.bracket(function() return {} end, function() end, function() return weft.never() end),
    weft.always(1))
  for _ = 1, 1000 do choice:perform() end
  t.flat(function()
    for _ = 1, t.scale(20000, 1000) do choice:perform() end
  end, 64)
end)

-- ---------------------------------------------------------------- where an error was raised

-- The traceback of a fiber that performs op and fails.
local function traceback_of(op)
  local fiber = weft.async(function() op:perform() end)
  local ok, e = t.pcall(fiber.join, fiber)
  t.eq(ok, false)
  return weft.error_info(e).traceback, e
end

local function fails_down_here() error "down here" end

t.test("base_op: an error in block has the traceback of block", function()
  local op = weft.base_op(nil, function() return false end, function() fails_down_here() end)
  local traceback, e = traceback_of(op)
  t.contains(e, "down here")
  t.contains(traceback, "fails_down_here")
  local caught
  t.raises("down here", weft.scope, function()
    caught = { t.pcall(op.perform, op) }
    op:perform()
  end)
  t.eq(caught[1], false)
end)

t.test("guard, with_nack, bracket: an error in the function has its own traceback", function()
  for _, op in ipairs {
    weft.guard(function() fails_down_here() end),
    weft.with_nack(function() fails_down_here() end),
    weft.bracket(function() fails_down_here() end, function() end, weft.always),
    weft.bracket(function() end, function() end, function() fails_down_here() end),
  } do t.contains(traceback_of(op), "fails_down_here") end
end)

t.test("misuse inside a guard is raised with a position", function()
  local m = weft.mutex()
  local c = weft.cond(m)
  t.raises("test_operations2%.lua:%d+: wait of a mutex that is not locked", function() c:wait_op():perform() end)
  t.raises("test_operations2%.lua:%d+: guard: its function gave a nil", function()
    weft.guard(function() end):perform()
  end)
  t.raises("test_operations2%.lua:%d+: bad argument", function()
    weft.guard(function() return weft.sleep_op "x" end):perform()
  end)
end)
