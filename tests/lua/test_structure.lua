-- SPDX-License-Identifier: MIT
-- Structured concurrency as a user of Trio means it: time limits, shields, deferred functions, scopes as
-- operations, failures that are joined or not, what stands beside an error, reasons of cancels.

local t = require "harness"
local weft = require "weft"

-- Runs f, which must raise; the value.
local function caught(f, ...)
  local ok, e = t.pcall(f, ...)
  if ok then t.fail "no error" end
  return e
end

-- ---------------------------------------------------------------- timeout and deadline

t.test("timeout: the scope raises its own error, inside it is a cancellation", function()
  local inside
  local e = caught(weft.scope, { timeout = 0.005 }, function()
    inside = caught(weft.sleep, 3600)
    error(inside, 0)
  end)
  t.eq(weft.is_timeout(e), true)
  t.eq(weft.is_cancelled(e), false)
  t.eq(weft.is_cancelled(inside), true)
  t.eq(weft.is_timeout(inside), false)
  t.match(tostring(e), "timeout")
  weft.yield()                            -- the fiber is free again
end)

t.test("timeout: never early, and not when its body would end", function()
  for _, seconds in ipairs { 0.001, 0.01, 0.03 } do
    local took = t.timed(caught, weft.scope, { timeout = seconds }, function() weft.sleep(3600) end)
    t.truthy(took >= seconds, took)
  end
end)

t.test("timeout: not reached, nothing happens", function()
  t.returns(t.pack(1, nil), weft.scope({ timeout = 3600 }, function() return 1, nil end))
  t.returns(t.pack("x"), weft.scope({ deadline = weft.now() + 3600 }, function(s)
    s:spawn(function() weft.sleep(0.001) end)
    return "x"
  end))
  local ended = 0
  while ended < 200 do                    -- one whose time is over although it only yields is not counted
    local ok, e = t.pcall(weft.scope, { timeout = 0.002 }, function() weft.yield() end)
    if ok then ended = ended + 1 else t.truthy(weft.is_timeout(e), tostring(e)) end
  end
  weft.sleep(0.01)                        -- alarms of scopes that have ended ring nowhere
end)

t.test("timeout: children inherit it", function()
  local ended = {}
  local e = caught(weft.scope, { timeout = 0.005, name = "limited" }, function(s)
    for i = 1, 3 do
      s:spawn(function()
        weft.defer(function() ended[#ended + 1] = i end)
        weft.scope(function(inner)
          inner:spawn(function() weft.channel():get() end)
          weft.never():perform()
        end)
      end)
    end
  end)
  t.truthy(weft.is_timeout(e))
  t.contains(tostring(e), "limited")
  t.eq(#ended, 3)
end)

t.test("timeout: of children alone, the body has returned", function()
  local e = caught(weft.scope, { timeout = 0.005 }, function(s)
    s:spawn(weft.sleep, 3600)
    return "not given"
  end)
  t.truthy(weft.is_timeout(e))
end)

t.test("timeout: nested, the inner's own is raised at the inner", function()
  local log = {}
  t.eq(weft.scope({ timeout = 3600, name = "outer" }, function()
    local e = caught(weft.scope, { timeout = 0.002, name = "inner" }, function() weft.sleep(3600) end)
    log[1] = weft.is_timeout(e) and tostring(e):find("inner", 1, true) ~= nil
    weft.sleep(0.001)
    return "went on"
  end), "went on")
  t.same(log, { true })
end)

t.test("timeout: nested, the outer's passes through the inner", function()
  local at_inner
  local e = caught(weft.scope, { timeout = 0.005, name = "outer" }, function()
    at_inner = caught(weft.scope, { timeout = 60, name = "inner" }, function() weft.sleep(3600) end)
    error(at_inner, 0)
  end)
  t.truthy(weft.is_timeout(e))
  t.contains(tostring(e), "outer")
  t.eq(weft.is_timeout(at_inner), false)
  t.eq(weft.is_cancelled(at_inner), true)
end)

t.test("timeout: a time-out that is caught outside can be tried again", function()
  local tries = 0
  local function attempt()
    tries = tries + 1
    weft.sleep(tries < 3 and 60 or 0)
    return "third time"
  end
  local result
  repeat
    local ok, r = t.pcall(weft.scope, { timeout = tries < 2 and 0.003 or 3600 }, attempt)
    if ok then result = r elseif not weft.is_timeout(r) then error(r, 0) end
  until result
  t.eq(result, "third time")
  t.eq(tries, 3)
end)

t.test("timeout: an error beats it, also one raised while it cancels", function()
  t.raises("^real$", weft.scope, { timeout = 0.05 }, function()
    error("real", 0)
  end)
  t.raises("^while cancelled$", weft.scope, { timeout = 0.002 }, function(s)
    s:spawn(function()
      t.pcall(weft.sleep, 3600)
      error("while cancelled", 0)
    end)
  end)
end)

t.test("timeout: zero, negative, for ever, NaN, wrong", function()
  for _, seconds in ipairs { 0, -1 } do
    t.truthy(weft.is_timeout(caught(weft.scope, { timeout = seconds }, function() weft.sleep(3600) end)))
    t.truthy(weft.is_timeout(caught(weft.scope, { deadline = weft.now() + seconds }, function() weft.sleep(3600) end)))
  end
  t.eq(weft.scope({ timeout = math.huge }, function()
    weft.sleep(0.001)
    return "for ever"
  end), "for ever")
  t.raises("", weft.scope, { timeout = 0 / 0 }, function() end)
  t.raises("", weft.scope, { timeout = "soon" }, function() end)
  t.raises("", weft.scope, { deadline = {} }, function() end)
  t.misuse("timeou", function() weft.scope({ timeou = 1 }, function() end) end)
  weft.yield()
end)

t.test("deadline: the sooner of both", function()
  local start = weft.now()
  caught(weft.scope, { timeout = 3600, deadline = start + 0.004 }, function() weft.sleep(3600) end)
  t.truthy(weft.now() - start >= 0.004)
  start = weft.now()
  caught(weft.scope, { timeout = 0.004, deadline = start + 3600 }, function() weft.sleep(3600) end)
  t.truthy(weft.now() - start >= 0.004)
end)

t.test("deadline: of many fibers at once, each its own", function()
  local early = 0
  weft.scope(function(s)
    for i = 1, 50 do
      s:spawn(function()
        local limit = 0.001 * (i % 10 + 1)
        local start = weft.now()
        local e = caught(weft.scope, { timeout = limit }, function() weft.never():perform() end)
        if not weft.is_timeout(e) or weft.now() - start < limit then early = early + 1 end
      end)
    end
  end)
  t.eq(early, 0)
end)

-- ---------------------------------------------------------------- a scope that is cancelled from around

t.test("a scope whose children were cut short from around does not return as if they were done", function()
  local reached = false
  local f = weft.spawn(function()
    weft.scope(function(s)
      s:spawn(weft.sleep, 3600)
      return "the body has returned"
    end)
    reached = true
  end)
  t.settle(2)
  f:cancel "from around"
  local e = caught(f.join, f)
  t.truthy(weft.is_cancelled(e))
  t.eq(e.reason, "from around")
  t.eq(f:status(), "cancelled")
  t.eq(reached, false)
  -- by a deadline around, and through two scopes
  e = caught(weft.scope, { timeout = 0.002, name = "around" }, function()
    weft.scope(function(s)
      s:spawn(function() weft.scope(function(inner) inner:spawn(weft.sleep, 3600) end) end)
    end)
    reached = true
  end)
  t.truthy(weft.is_timeout(e))
  t.eq(reached, false)
end)

t.test("a scope whose children had ended returns, though cancelled from around", function()
  local log = {}
  local f = weft.spawn(function()
    log[1] = weft.scope(function(s)
      s:spawn(function() end)
      weft.yield()
      weft.yield()
      weft.self():cancel()
      return "whole"
    end)
    log[2] = weft.shield(function()
      weft.spawn(weft.sleep, 0.001)
      return "shielded"
    end)
    log[3] = weft.scope(function(s)
      s:daemon(function() weft.never():perform() end)
      return "daemons do not count"
    end)
    weft.yield()
    log[4] = "not here"
  end)
  caught(f.join, f)
  t.same(log, { "whole", "shielded", "daemons do not count" })
end)

-- ---------------------------------------------------------------- shield

t.test("shield: clean-up waits although its fiber is cancelled", function()
  local log = {}
  local f = weft.spawn(function()
    local _, e = t.pcall(weft.sleep, 3600)
    log[#log + 1] = "cancelled"
    t.returns(t.pack("a", nil), weft.shield(function(x)
      weft.sleep(0.001)
      log[#log + 1] = "cleaned up"
      return x, nil
    end, "a"))
    local again = caught(weft.sleep, 3600)  -- outside it is cancelled as before
    log[#log + 1] = weft.is_cancelled(again)
    error(e, 0)
  end)
  weft.yield()
  f:cancel()
  t.truthy(weft.is_cancelled(caught(f.join, f)))
  t.same(log, { "cancelled", "cleaned up", true })
end)

t.test("shield: a cancel while it is open is seen behind it", function()
  local log = {}
  local f = weft.spawn(function()
    weft.shield(function()
      weft.sleep(0.003)
      log[#log + 1] = "to its end"
    end)
    weft.sleep(3600)
    log[#log + 1] = "not here"
  end)
  weft.yield()
  f:cancel()
  t.truthy(weft.is_cancelled(caught(f.join, f)))
  t.same(log, { "to its end" })
end)

t.test("shield: deadlines and cancels of scopes inside it count", function()
  local f = weft.spawn(function()
    t.pcall(weft.sleep, 3600)
    return weft.shield(function()
      local e = caught(weft.scope, { timeout = 0.002 }, function() weft.sleep(3600) end)
      weft.scope(function(s)
        s:spawn(weft.sleep, 3600)
        s:cancel()
        weft.yield()
      end)
      return weft.is_timeout(e)
    end)
  end)
  weft.yield()
  f:cancel()
  t.eq(f:join(), true)
end)

t.test("shield: spawns inside it are hidden too, and awaited", function()
  local ended
  local f = weft.spawn(function()
    t.pcall(weft.sleep, 3600)
    weft.shield(function()
      weft.spawn(function()
        weft.sleep(0.002)
        ended = true
      end)
    end)
    t.eq(ended, true)
  end)
  weft.yield()
  f:cancel()
  f:join()
end)

t.test("shield: errors pass, nesting, misuse", function()
  t.raises("^inside$", weft.shield, function() error("inside", 0) end)
  local value = {}
  t.raises_value(value, weft.shield, function() error(value, 0) end)
  t.eq(weft.shield(function() return weft.shield(function() return "deep" end) end), "deep")
  t.misuse("shield", function() weft.shield(1) end)
  weft.scope(function(s)                  -- a shield in the body of a cancelled scope
    s:cancel()
    weft.shield(function() weft.sleep(0.001) end)
    t.truthy(weft.is_cancelled(caught(weft.yield)))
  end)
end)

-- ---------------------------------------------------------------- weft.defer

t.test("defer: last in first out, on return, on error, on cancellation", function()
  local function fiber(log, body)
    return weft.async(function()
      for i = 1, 3 do weft.defer(function() log[#log + 1] = i end) end
      log[#log + 1] = "body"
      return body()
    end)
  end
  local log = {}
  t.returns(t.pack(1, nil), fiber(log, function() return 1, nil end):join())
  t.same(log, { "body", 3, 2, 1 })
  log = {}
  local f = fiber(log, function() error("broke", 0) end)
  t.raises("^broke$", f.join, f)
  t.same(log, { "body", 3, 2, 1 })
  t.eq(f:status(), "failed")
  log = {}
  f = fiber(log, function() weft.sleep(3600) end)
  weft.yield()
  f:cancel()
  t.truthy(weft.is_cancelled(caught(f.join, f)))
  t.same(log, { "body", 3, 2, 1 })
  t.eq(f:status(), "cancelled")
end)

t.test("defer: belongs to the fiber, not to the function or scope", function()
  local log = {}
  weft.spawn(function()
    local function helper() weft.defer(function() log[#log + 1] = "deferred" end) end
    helper()
    weft.scope(function() weft.defer(function() log[#log + 1] = "in a scope" end) end)
    log[#log + 1] = "end of body"
  end):join()
  t.same(log, { "end of body", "in a scope", "deferred" })
end)

t.test("defer: may block; in a cancelled fiber under shield", function()
  local log, ch = {}, weft.channel()
  local f = weft.spawn(function()
    weft.defer(function()
      log[#log + 1] = ch:get()
    end)
    return "result"
  end)
  ch:put "got in defer"
  t.eq(f:join(), "result")
  f = weft.spawn(function()
    weft.defer(function()
      weft.shield(function() weft.sleep(0.001) end)
      log[#log + 1] = "shielded"
    end)
    weft.defer(function()
      log[#log + 1] = weft.is_cancelled(caught(weft.sleep, 3600))
    end)
    weft.sleep(3600)
  end)
  weft.yield()
  f:cancel()
  caught(f.join, f)
  t.eq(f:status(), "cancelled")
  t.same(log, { "got in defer", true, "shielded" })
end)

t.test("defer: a deferred function may defer, spawn and open scopes", function()
  local log = {}
  weft.scope(function(s)
    s:spawn(function()
      weft.defer(function()
        weft.defer(function() log[#log + 1] = "deferred later" end)
        weft.scope(function(inner) inner:spawn(function() log[#log + 1] = "child" end) end)
        weft.spawn(function() log[#log + 1] = "sibling" end)
      end)
    end)
  end)
  table.sort(log)
  t.same(log, { "child", "deferred later", "sibling" })
end)

t.test("defer: an error in one fails the fiber, the others run all the same", function()
  local log = {}
  local function deferred(name, fails)
    weft.defer(function()
      log[#log + 1] = name
      if fails then error("defer " .. name, 0) end
    end)
  end
  local f = weft.async(function()
    deferred "a"
    deferred("b", true)
    deferred "c"
    return "result"
  end)
  t.raises("^defer b$", f.join, f)
  t.eq(table.concat(log), "cba")
  t.eq(f:status(), "failed")
  log = {}
  f = weft.async(function()
    deferred("a", true)
    deferred("b", true)
    error("body", 0)
  end)
  local e = caught(f.join, f)
  t.eq(e, "body", "the first error stays")
  t.eq(table.concat(log), "ba")
end)

t.test("defer: joiners see the outcome after the deferred functions", function()
  local done
  local f = weft.spawn(function()
    weft.defer(function()
      weft.sleep(0.002)
      done = true
    end)
  end)
  f:join()
  t.eq(done, true)
  t.misuse("defer", function() weft.defer(1) end)
end)

t.test("defer: the scope waits for it, and a thousand of them", function()
  local count = 0
  weft.scope(function(s)
    s:spawn(function()
      for _ = 1, 1000 do weft.defer(function() count = count + 1 end) end
    end)
  end)
  t.eq(count, 1000)
end)

t.test("defer: keeps the traceback of the body's error", function()
  local f = weft.async(function()
    weft.defer(function() end)
    local function where_it_broke() error("with a trace", 0) end
    where_it_broke()
    return nil
  end)
  local e = caught(f.join, f)
  t.contains(weft.error_info(e).traceback, "test_structure.lua")
end)

t.outside("defer outside a fiber names the cure", function()
  t.raises("weft.run", function() weft.defer(function() end) end)
end)

-- ---------------------------------------------------------------- s:defer

t.test("s:defer: when the children have ended, last in first out", function()
  local log = {}
  t.returns(t.pack("r", nil), weft.scope(function(s)
    s:defer(function() log[#log + 1] = 1 end)
    s:defer(function() log[#log + 1] = 2 end)
    s:spawn(function()
      weft.sleep(0.002)
      log[#log + 1] = "child"
    end)
    log[#log + 1] = "body"
    return "r", nil
  end))
  t.same(log, { "body", "child", 2, 1 })
end)

t.test("s:defer: on error, on cancel, on time-out", function()
  local log = {}
  t.raises("^broke$", weft.scope, function(s)
    s:defer(function() log[#log + 1] = "error" end)
    error("broke", 0)
  end)
  weft.scope(function(s)
    s:defer(function() log[#log + 1] = "cancel" end)
    s:cancel()
    weft.sleep(3600)
  end)
  caught(weft.scope, { timeout = 0.002 }, function(s)
    s:defer(function()
      weft.shield(function() weft.sleep(0.001) end)
      log[#log + 1] = "time-out"
    end)
    weft.sleep(3600)
  end)
  t.same(log, { "error", "cancel", "time-out" })
end)

t.test("s:defer: from a child, and from a deferred function", function()
  local log = {}
  weft.scope(function(s)
    s:spawn(function()
      s:defer(function()
        log[#log + 1] = "outer"
        s:defer(function() log[#log + 1] = "inner" end)
      end)
    end)
  end)
  t.same(log, { "outer", "inner" })
end)

t.test("s:defer: errors are the scope's, the rest runs", function()
  local log = {}
  t.raises("^second$", weft.scope, function(s)
    s:defer(function()
      log[#log + 1] = 1
      error("first", 0)
    end)
    s:defer(function()
      log[#log + 1] = 2
      error("second", 0)
    end)
  end)
  t.same(log, { 2, 1 })
  local e = caught(weft.scope, function(s)
    s:defer(function() error("in defer", 0) end)
    error("body", 0)
  end)
  t.eq(e, "body")
  local others = weft.error_info(e).others
  t.eq(#others, 1)
  local s
  weft.scope(function(it) s = it end)
  t.misuse("defer", function() s:defer(function() end) end)
  weft.scope(function(it) t.misuse("defer", function() it:defer(1) end) end)
end)

-- ---------------------------------------------------------------- scope_op

t.test("scope_op: its values, its error", function()
  t.returns(t.pack("a", nil), weft.scope_op(function() return "a", nil end):perform())
  t.returns(t.pack(), weft.scope_op(function() end):perform())
  local op = weft.scope_op(function(s)
    s:spawn(function() error("child", 0) end)
    weft.sleep(3600)
  end)
  t.raises("^child$", op.perform, op)
  t.raises("^child$", op.perform, op)     -- a value: performed again
  weft.yield()
  t.misuse("scope", function() weft.scope_op(1) end)
end)

t.test("scope_op: lost, it is cancelled and joined before the choice returns", function()
  local log, begun = {}, weft.latch(2)
  local op = weft.scope_op(function(s)
    for i = 1, 2 do
      s:spawn(function()
        weft.defer(function()
          weft.shield(function() weft.sleep(0.002) end)
          log[#log + 1] = "child " .. i
        end)
        begun:count_down()
        weft.sleep(3600)
      end)
    end
    s:defer(function() log[#log + 1] = "scope" end)
    weft.sleep(3600)
  end)
  local v = weft.choose(op, begun:wait_op():wrap(function()
    log[#log + 1] = "wrap of the winner"
    return "late"
  end)):perform()
  t.eq(v, "late")
  t.eq(#log, 4)
  t.eq(log[3], "scope")
  t.eq(log[4], "wrap of the winner")
end)

t.test("scope_op: two of them, the loser gone", function()
  for _ = 1, 20 do
    local gone = 0
    local function op(seconds, name)
      return weft.scope_op(function(s)
        s:defer(function() gone = gone + 1 end)
        weft.sleep(seconds)
        return name
      end)
    end
    t.eq(weft.choose(op(0.001, "quick"), op(60, "slow")):perform(), "quick")
    t.eq(gone, 2)
  end
end)

t.test("scope_op: cancelled with its performer", function()
  local log = {}
  local f = weft.spawn(function()
    weft.scope_op(function(s)
      s:defer(function() log[#log + 1] = "gone" end)
      weft.sleep(3600)
    end):perform()
  end)
  t.settle(4)
  f:cancel "enough"
  t.truthy(weft.is_cancelled(caught(f.join, f)))
  t.same(log, { "gone" })
  t.eq(f:status(), "cancelled")
end)

t.test("scope_op: with a timeout of its own, in a timeout, under try and or_else", function()
  local op = weft.scope_op({ timeout = 0.002, name = "op" }, function() weft.sleep(3600) end)
  t.truthy(weft.is_timeout(caught(op.perform, op)))
  t.returns(t.pack(nil, "timeout", "timeout"),
    weft.timeout(weft.scope_op(function() weft.sleep(3600) end), 0.002):perform())
  local started = 0
  local slow = weft.scope_op(function()
    started = started + 1
    weft.sleep(3600)
  end)
  t.eq(slow:try(), false)
  t.eq(slow:perform_alt(function() return "default" end), "default")
end)

t.test("scope_op: an error of the loser while it is cancelled does not hide the winner", function()
  local op = weft.scope_op(function()
    t.pcall(weft.sleep, 3600)
    error("in the loser's clean-up", 0)
  end)
  local v = weft.choose(op, weft.sleep_op(0.002):wrap(function() return "won" end)):perform()
  t.eq(v, "won")
  weft.yield()
end)

-- ---------------------------------------------------------------- failures

t.test("async: a failure is kept for a join", function()
  local value = {}
  weft.scope(function()
    local f = weft.async(function() error(value, 0) end)
    weft.sleep(0.002)
    t.eq(f:status(), "failed")
    t.raises_value(value, f.join, f)
    t.raises_value(value, f.join, f)
  end)
end)

t.test("async: not joined, it is raised at the scope's end", function()
  local log = {}
  t.raises("^unjoined$", weft.scope, function(s)
    s:async(function() error("unjoined", 0) end)
    s:spawn(function()
      weft.sleep(0.003)
      log[#log + 1] = "a sibling is not cancelled"
    end)
    weft.sleep(0.001)
    log[#log + 1] = "nor is the body"
  end)
  t.same(log, { "nor is the body", "a sibling is not cancelled" })
end)

t.test("async: joined by an operation, in a choice", function()
  weft.scope(function(s)
    local f = s:async(function() error("by join_op", 0) end)
    weft.sleep(0.001)
    local choice = weft.choose(f:join_op(), weft.sleep_op(3600))
    t.raises("^by join_op$", choice.perform, choice)
    local _, e = t.pcall(function() return f:join_op():try() end)
    t.eq(e, "by join_op")
  end)
end)

t.test("join: a choice that takes the failure of a spawned fiber keeps its scope whole", function()
  weft.scope(function(s)
    local f = s:spawn(function()
      weft.yield()
      weft.yield()
      error("to the joiner", 0)
    end)
    local choice = weft.choose(f:join_op(), weft.sleep_op(3600))
    t.raises("^to the joiner$", choice.perform, choice)
    weft.sleep(0.001)
  end)
end)

t.test("join: of a cancelled fiber is an ordinary error in the joiner", function()
  local joiner
  local e = caught(weft.scope, function(s)
    local f = s:spawn(weft.sleep, 3600)
    joiner = s:spawn(function() f:join() end)
    t.settle(2)
    f:cancel "why"
    weft.sleep(3600)
  end)
  t.truthy(weft.is_cancelled(e))
  t.eq(e.reason, "why")
  t.eq(joiner:status(), "failed")
end)

t.test("error_info: traceback, fiber, others", function()
  local value, first = { "first" }, nil
  local e = caught(weft.scope, function(s)
    for i = 1, 2 do
      s:spawn(function()
        t.pcall(weft.sleep, 3600)
        error({ "later", i }, 0)
      end)
    end
    weft.yield()
    first = s:spawn(function()
      local function deep_inside() error(value, 0) end
      deep_inside()
    end)
  end)
  t.eq(e, value)
  local info = weft.error_info(e)
  t.eq(info.fiber, first)
  t.contains(info.traceback, "test_structure.lua")
  t.eq(#info.others, 2)
  t.eq(weft.error_info({}), nil)
  t.eq(weft.error_info("never raised " .. tostring(value)), nil)
end)

t.test("error_info: of strings, numbers, and of an error of the body", function()
  local e = caught(weft.scope, function() error("a string of its own", 0) end)
  local info = weft.error_info(e)
  t.eq(info.fiber, weft.self())
  t.contains(info.traceback, "test_structure.lua")
  t.same(info.others, {})
  e = caught(weft.scope, function(s) s:spawn(function() error(4711, 0) end) end)
  t.eq(e, 4711)
  t.truthy(weft.error_info(4711))
end)

t.test("error_info: through three scopes it is still where it failed", function()
  local failed
  local e = caught(weft.scope, function()
    weft.scope(function()
      weft.scope(function(s)
        failed = s:spawn(function()
          local function the_culprit() error({ "deep" }, 0) end
          the_culprit()
        end)
      end)
    end)
  end)
  t.eq(weft.error_info(e).fiber, failed)
  t.contains(weft.error_info(e).traceback, "test_structure.lua")
end)

t.test("s:errors: the first, and those that came after", function()
  local scope
  local values = { {}, {}, {} }
  t.raises_value(values[1], weft.scope, function(s)
    scope = s
    t.same(s:errors(), {})
    s:spawn(function()
      t.pcall(weft.sleep, 3600)
      error(values[2], 0)
    end)
    s:defer(function()
      t.eq(#s:errors(), 2)
      error(values[3], 0)
    end)
    weft.yield()
    error(values[1], 0)
  end)
  local list = scope:errors()
  t.eq(#list, 3)
  for i = 1, 3 do t.eq(list[i], values[i]) end
end)

t.test("s:status: open, cancelled, failed, done", function()
  local scope
  weft.scope(function(s)
    scope = s
    t.eq(s:status(), "open")
  end)
  t.eq(scope:status(), "done")
  weft.scope(function(s)
    scope = s
    s:cancel()
    t.eq(s:status(), "cancelled")
  end)
  t.eq(scope:status(), "cancelled")
  t.pcall(weft.scope, function(s)
    scope = s
    error "x"
  end)
  t.eq(scope:status(), "failed")
end)

-- ---------------------------------------------------------------- reasons

t.test("reasons: of a fiber's and of a scope's cancel; the first stays", function()
  local seen
  local f = weft.spawn(function()
    seen = caught(weft.sleep, 3600)
    error(seen, 0)
  end)
  weft.yield()
  f:cancel "first"
  f:cancel "second"
  local e = caught(f.join, f)
  t.eq(seen.reason, "first")
  t.eq(e.reason, "first")
  t.eq(e.fiber, f)
  t.eq(seen.fiber, f)
  t.contains(tostring(e), "first")
  local reason = { "any value" }
  weft.scope(function(s)
    s:spawn(function()
      seen = caught(weft.sleep, 3600)
      error(seen, 0)
    end)
    weft.yield()
    s:cancel(reason)
    s:cancel "another"
  end)
  t.eq(seen.reason, reason)
end)

t.test("reasons: false is a reason, none is nil", function()
  local seen
  local f = weft.spawn(function()
    seen = caught(weft.sleep, 3600)
  end)
  weft.yield()
  f:cancel(false)
  f:join()
  t.eq(seen.reason, false)
  f = weft.spawn(function() seen = caught(weft.sleep, 3600) end)
  weft.yield()
  f:cancel()
  f:join()
  t.eq(seen.reason, nil)
  t.truthy(weft.is_cancelled(seen))
end)

t.test("cancel before the fiber has started: its body runs up to its first wait", function()
  local f = weft.spawn(function() weft.yield() end)
  f:cancel "before it began"
  t.eq(caught(f.join, f).reason, "before it began")
end)

t.test("cancel of a fiber that has ended changes nothing", function()
  local f = weft.spawn(function() return "done" end)
  f:join()
  f:cancel "too late"
  t.eq(f:status(), "done")
  t.eq(f:join(), "done")
end)

t.test("cancel of oneself: seen at the next wait", function()
  local f = weft.spawn(function()
    weft.self():cancel "me"
    local a = 1
    a = a + 1
    t.eq(a, 2)
    weft.yield()
    t.fail "not here"
  end)
  t.eq(caught(f.join, f).reason, "me")
  weft.scope(function(s)
    s:cancel()
    weft.sleep(3600)
    t.fail "not here"
  end)
end)

-- ---------------------------------------------------------------- stubborn fibers

t.test("a retry loop on a cancelled fiber cannot hang the worker", function()
  local r = t.program([[
    local weft = require "weft"
    weft.run(function()
      local f = weft.spawn(function()
        weft.self():name "stubborn one"
        local n = 0
        repeat
          local ok = weft.pcall(weft.sleep, 3600)
          n = n + 1
        until ok or n >= 5000
        error("gave up", 0)
      end)
      weft.yield()
      f:cancel()
      local turns = 0
      local g = weft.spawn(function()
        while f:status() ~= "failed" do
          turns = turns + 1
          weft.yield()
        end
      end)
      weft.pcall(f.join, f)
      g:join()
      print(turns > 1000)
    end)
  ]])
  t.eq(r.out, "true\n", r.err)
  t.contains(r.err, "stubborn one")
  t.contains(r.err, "cancelled")
  local _, times = r.err:gsub("stubborn one", "")
  t.eq(times, 1)
end)

t.test("retry loops over every kind of wait let the others run", function()
  local ch, m = weft.channel(), weft.mutex()
  m:lock()
  local waits = {
    function() ch:get() end, function() ch:put(1) end, function() weft.sleep(3600) end, weft.yield,
    function() weft.choose(ch:get_op(), weft.sleep_op(3600)):perform() end, function() m:lock() end,
    function() weft.guard(weft.never):perform() end, function() weft.always(1):perform() end,
    function() weft.scope(function() weft.sleep(3600) end) end,
  }
  for i, wait in ipairs(waits) do
    local f = weft.spawn(function()
      t.pcall(weft.sleep, 3600)
      for _ = 1, 50 do
        local ok, e = t.pcall(wait)
        if ok or not weft.is_cancelled(e) then
          error("wait " .. i .. " did not raise a cancellation", 0)
        end
      end
    end)
    weft.yield()
    f:cancel()
    local turns = 0
    while f:status() ~= "done" and f:status() ~= "failed" do
      turns = turns + 1
      weft.yield()
    end
    f:join()
    t.truthy(turns >= 49, "wait " .. i .. ": " .. turns .. " turns")
  end
  m:unlock()
end)

-- ---------------------------------------------------------------- to-be-closed variables of a body that fails

local function closing(source)
  local f = loadstring or load -- luacheck: ignore
  return assert(f("local weft, t, var = ... " .. source))
end

-- A value whose __close calls f with the error.
local function var(f) return setmetatable({}, { __close = function(_, e) f(e) end }) end

t.test("__close of a body that fails: the error, the running fiber, and in order", function()
  if _VERSION < "Lua 5.4" then t.skip "no to-be-closed variables in this Lua" end
  local log = {}
  local fiber = weft.async(closing [[
    local log = select(4, ...)
    local a <close> = var(function(e) log[#log + 1] = { "a", e, weft.self() } end)
    local b <close> = var(function(e) log[#log + 1] = { "b", e, weft.self() } end)
    error { "an object" }
  ]], weft, t, var, log)
  local ok, e = t.pcall(fiber.join, fiber)
  t.eq(ok, false)
  t.eq(e[1], "an object")
  t.eq(#log, 2)
  for i, name in ipairs { "b", "a" } do
    t.eq(log[i][1], name)
    t.eq(rawequal(log[i][2], e), true)
    t.eq(log[i][3], fiber)
  end
  t.eq(fiber:status(), "failed")
end)

t.test("__close of a body that fails: a mutex is given back", function()
  if _VERSION < "Lua 5.4" then t.skip "no to-be-closed variables in this Lua" end
  local m = weft.mutex()
  local fiber = weft.async(closing [[
    local m = select(4, ...)
    m:lock()
    local held <close> = var(function() m:unlock() end)
    error "with the mutex held"
  ]], weft, t, var, m)
  t.raises("with the mutex held", fiber.join, fiber)
  t.eq(tostring(m), "weft.mutex: free")
end)

t.test("__close of a body that fails: what it raises stands beside the error", function()
  if _VERSION < "Lua 5.4" then t.skip "no to-be-closed variables in this Lua" end
  local function fails(with_defer)
    local first, second = {}, {}
    local fiber = weft.async(closing [[
      local first, second, with_defer = select(4, ...)
      if with_defer then weft.defer(function() end) end
      local x <close> = var(function() error(second) end)
      error(first)
    ]], weft, t, var, first, second, with_defer)
    local _, e = t.pcall(fiber.join, fiber)
    t.eq(rawequal(e, first), true)
    local info = weft.error_info(e)
    t.eq(rawequal(info.others[#info.others].value, second), true)
    t.contains(info.traceback, "[C]: in function 'error'")
    t.eq(info.traceback:find "raised again", nil)
  end
  fails(false)
  fails(true)
end)

t.test("__close of a cancelled body: what it raises is the failure", function()
  if _VERSION < "Lua 5.4" then t.skip "no to-be-closed variables in this Lua" end
  local fiber = weft.async(closing [[
    local x <close> = var(function(e)
      t.eq(weft.is_cancelled(e), true)
      error("in the handler", 0)
    end)
    weft.never():perform()
  ]], weft, t, var)
  t.settle()
  fiber:cancel()
  t.raises("^in the handler$", fiber.join, fiber)
  t.eq(fiber:status(), "failed")
end)

t.test("__close of a body that fails cannot wait, and says so; inside a scope or weft.pcall it can", function()
  if _VERSION < "Lua 5.4" then t.skip "no to-be-closed variables in this Lua" end
  local said
  local body = closing [[
    local note = select(4, ...)
    local x <close> = var(function() note(weft.pcall(weft.sleep, 0.001)) end)
    error "failed"
  ]]
  local function note(ok, e) said = ok or e end
  local fiber = weft.async(body, weft, t, var, note)
  t.raises("failed", fiber.join, fiber)
  t.match(said, "cannot wait here: this is a __close of a fiber that has failed")
  weft.pcall(body, weft, t, var, note)
  t.eq(said, true)
  said = nil
  t.raises("failed", weft.scope, function() body(weft, t, var, note) end)
  t.eq(said, true)
end)

t.test("__close in a scope of a cancelled fiber waits in a shield", function()
  if _VERSION < "Lua 5.4" then t.skip "no to-be-closed variables in this Lua" end
  local closed = false
  local body = closing [[
    local note = select(4, ...)
    local x <close> = var(function() weft.shield(weft.sleep, 0.001) note() end)
    weft.never():perform()
  ]]
  local fiber = weft.spawn(weft.scope, function() body(weft, t, var, function() closed = true end) end)
  t.settle()
  fiber:cancel()
  t.pcall(fiber.join, fiber)
  t.eq(closed, true)
  t.eq(fiber:status(), "cancelled")
end)
