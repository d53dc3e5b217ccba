-- SPDX-License-Identifier: MIT
-- Scopes: children end before the scope does, the first error cancels the siblings.

local t = require "harness"
local weft = require "weft"

t.test("a scope gives the results of f", function()
  t.returns(t.pack(1, nil, 3, nil), weft.scope(function() return 1, nil, 3, nil end))
  t.returns(t.pack(), weft.scope(function() end))
end)

t.test("a scope waits for its children", function()
  local log = {}
  local r = weft.scope(function(s)
    for i = 3, 1, -1 do
      s:spawn(function()
        weft.sleep(i * 0.03)
        log[#log + 1] = i
      end)
    end
    return "body"
  end)
  t.eq(r, "body")
  table.sort(log)
  t.same(log, { 1, 2, 3 })
end)

t.test("the body runs in the calling fiber", function()
  local me = weft.self()
  weft.scope(function() t.eq(weft.self(), me) end)
end)

t.test("s:spawn gives a fiber, with arguments and results", function()
  weft.scope(function(s)
    local f = s:spawn(function(a, b) return a + b end, 3, 4)
    t.eq(f:join(), 7)
  end)
end)

t.test("weft.spawn adds to the innermost scope of the calling fiber", function()
  local log = {}
  weft.scope(function()
    weft.scope(function()
      weft.spawn(function()
        weft.sleep(0.01)
        log[#log + 1] = "inner child"
      end)
    end)
    log[#log + 1] = "inner scope ended"
  end)
  t.same(log, { "inner child", "inner scope ended" })
end)

t.test("a spawned fiber's spawn is a sibling: it may outlive its spawner, not the scope", function()
  local log = {}
  weft.scope(function(s)
    local parent = s:spawn(function()
      weft.spawn(function()
        weft.sleep(0.01)
        log[#log + 1] = "grandchild"
      end)
    end)
    parent:join()
    log[#log + 1] = "parent ended"
  end)
  log[#log + 1] = "scope ended"
  t.same(log, { "parent ended", "grandchild", "scope ended" })
end)

t.test("s:spawn of an outer scope from an inner one", function()
  local log = {}
  weft.scope(function(outer)
    weft.scope(function()
      outer:spawn(function()
        weft.sleep(0.01)
        log[#log + 1] = "outer's child"
      end)
    end)
    log[#log + 1] = "inner ended"
  end)
  t.same(log, { "inner ended", "outer's child" })
end)

t.test("s:spawn from another fiber", function()
  local log = {}
  weft.scope(function(s)
    s:spawn(function()
      weft.sleep(0.005)
      s:spawn(function()
        weft.sleep(0.005)
        log[#log + 1] = "late"
      end)
    end)
  end)
  t.same(log, { "late" })
end)

t.test("a scope that has ended takes no more fibers", function()
  local s
  weft.scope(function(scope) s = scope end)
  t.misuse("scope", function() s:spawn(function() end) end)
end)

-- ---------------------------------------------------------------- failure

t.test("the first error cancels the siblings and surfaces", function()
  local cancelled = 0
  t.raises("^first$", weft.scope, function(s)
    for _ = 1, 5 do
      s:spawn(function()
        local ok, e = t.pcall(weft.sleep, 3600)
        if not ok and weft.is_cancelled(e) then cancelled = cancelled + 1 end
        error(e, 0)
      end)
    end
    s:spawn(function()
      weft.sleep(0.005)
      error("first", 0)
    end)
  end)
  t.eq(cancelled, 5)
end)

t.test("a child's error cancels the body too", function()
  local reached = false
  t.raises("child broke", weft.scope, function(s)
    s:spawn(function() error("child broke", 0) end)
    weft.sleep(3600)
    reached = true
  end)
  t.eq(reached, false)
  weft.sleep(0.001)                       -- the fiber is free again
end)

t.test("the body's error cancels the children", function()
  local e
  t.raises("^body broke$", weft.scope, function(s)
    s:spawn(function()
      local _
      _, e = t.pcall(weft.sleep, 3600)
      error(e, 0)
    end)
    weft.yield()
    error("body broke", 0)
  end)
  t.truthy(weft.is_cancelled(e))
end)

t.test("the first of two errors wins", function()
  t.raises("^one$", weft.scope, function(s)
    s:spawn(function() error("one", 0) end)
    s:spawn(function() error("two", 0) end)
  end)
end)

t.test("an error while siblings are cancelled does not hide the first", function()
  t.raises("^cause$", weft.scope, function(s)
    s:spawn(function()
      t.pcall(weft.sleep, 3600)
      error("in clean-up", 0)
    end)
    weft.yield()
    s:spawn(function() error("cause", 0) end)
  end)
end)

t.test("error values of any type pass untouched", function()
  local object = setmetatable({ code = 7 }, { __tostring = function() return "an object" end })
  for _, value in ipairs { object, {}, 42, true, print, weft.channel() } do
    t.raises_value(value, weft.scope, function(s)
      s:spawn(function() error(value, 0) end)
    end)
    t.raises_value(value, weft.scope, function() error(value, 0) end)
  end
  local ok, e = t.pcall(weft.scope, function() error(nil) end)
  t.eq(ok, false)
  if t.lua ~= "Lua 5.5" then t.eq(e, nil) end
  ok, e = t.pcall(weft.scope, function() error(false) end)
  t.eq(ok, false)
  t.eq(e, false)
end)

t.test("a string error is not changed by a scope", function()
  local e = t.raises(nil, weft.scope, function(s) s:spawn(function() error("exact", 0) end) end)
  t.eq(e, "exact")
end)

t.test("a failure goes to a parked joiner, not to the scope", function()
  local value = {}
  weft.scope(function(s)
    local f = s:spawn(function()
      weft.sleep(0.005)
      error(value)
    end)
    t.raises_value(value, f.join, f)
    weft.sleep(0.001)                     -- nothing was cancelled
  end)
end)

t.test("with no joiner parked it fails the scope, and a later join raises the same", function()
  local value, f = {}, nil
  t.raises_value(value, weft.scope, function(s)
    f = s:spawn(function() error(value) end)
    weft.sleep(3600)
  end)
  t.raises_value(value, f.join, f)
  t.raises_value(value, f.join, f)
end)

t.test("a failure reaches all joiners that are parked", function()
  local heard = 0
  weft.scope(function(s)
    local f = s:spawn(function()
      weft.sleep(0.005)
      error("for all", 0)
    end)
    for _ = 1, 3 do
      s:spawn(function()
        t.raises("^for all$", f.join, f)
        heard = heard + 1
      end)
    end
  end)
  t.eq(heard, 3)
end)

t.test("an uncaught joiner passes the failure on", function()
  t.raises("^chain$", weft.scope, function(s)
    local f = s:spawn(function()
      weft.sleep(0.002)
      error("chain", 0)
    end)
    local g = s:spawn(function() return f:join() end)
    s:spawn(function() g:join() end)
  end)
end)

-- ---------------------------------------------------------------- nesting

t.test("an inner failure passes outward, an outer one inward", function()
  local inner_cancelled = false
  t.raises("^outer$", weft.scope, function(s)
    s:spawn(function()
      weft.scope(function(inner)
        inner:spawn(function()
          local ok, e = t.pcall(weft.sleep, 3600)
          inner_cancelled = not ok and weft.is_cancelled(e)
          error(e, 0)
        end)
      end)
    end)
    weft.sleep(0.005)
    error("outer", 0)
  end)
  t.eq(inner_cancelled, true)

  t.raises("^deep$", weft.scope, function()
    weft.scope(function()
      weft.scope(function(s) s:spawn(function() error("deep", 0) end) end)
    end)
  end)
end)

t.test("a caught inner failure leaves the outer scope alone", function()
  local outer_done = false
  weft.scope(function(s)
    s:spawn(function()
      weft.sleep(0.01)
      outer_done = true
    end)
    t.raises("inner only", weft.scope, function(inner)
      inner:spawn(function() error("inner only", 0) end)
    end)
  end)
  t.eq(outer_done, true)
end)

t.test("scopes nest a hundred deep", function()
  local function nest(n)
    if n == 0 then
      weft.yield()
      return "bottom"
    end
    return (weft.scope(function() return nest(n - 1) end))
  end
  t.eq(nest(t.puc51 and 50 or 100), "bottom")
end)

t.test("many scopes leave nothing", { memory = 256 }, function()
  for _ = 1, t.scale(100000, 1000) do
    weft.scope(function(s) s:spawn(function() end) end)
  end
end)

-- ---------------------------------------------------------------- cancel

t.test("a scope absorbs its own cancel", function()
  local reached = false
  weft.scope(function(s)
    s:spawn(function() weft.sleep(3600) end)
    s:cancel("enough")
    weft.sleep(3600)
    reached = true
  end)
  t.eq(reached, false)
  weft.sleep(0.001)
end)

t.test("cancelled from a child", function()
  weft.scope(function(s)
    s:spawn(function()
      weft.sleep(0.005)
      s:cancel()
    end)
    weft.sleep(3600)
  end)
end)

t.test("cancelled from outside", function()
  local inner
  weft.scope(function(s)
    s:spawn(function()
      weft.scope(function(x)
        inner = x
        weft.sleep(3600)
      end)
      weft.sleep(0.001)
    end)
    weft.yield()
    inner:cancel()
  end)
end)

t.test("a body that ends in time gives its results although the scope was cancelled", function()
  t.eq(weft.scope(function(s)
    s:cancel()
    return "results"
  end), "results")
end)

t.test("cancelling an outer scope goes through an inner one", function()
  local inner_returned = false
  weft.scope(function(outer)
    weft.scope(function()
      outer:cancel()
      weft.sleep(3600)
    end)
    inner_returned = true
  end)
  t.eq(inner_returned, false)
end)

t.test("an error beats a cancel", function()
  t.raises("^broken$", weft.scope, function(s)
    s:cancel()
    error("broken", 0)
  end)
end)

t.test("cancel of a scope that has ended, and twice", function()
  local s
  weft.scope(function(x)
    s = x
    s:cancel()
    s:cancel("again")
  end)
  s:cancel()
  weft.sleep(0)
end)

-- ---------------------------------------------------------------- daemons

t.test("a daemon keeps no scope open and is cancelled at its end", function()
  local ticks, e = 0, nil
  weft.scope(function(s)
    s:daemon(function()
      while true do
        local ok
        ok, e = t.pcall(weft.sleep, 0.001)
        if not ok then error(e, 0) end
        ticks = ticks + 1
      end
    end)
    t.eventually(function() return ticks > 0 end)
  end)
  t.truthy(weft.is_cancelled(e))
end)

t.test("a daemon lives until the last ordinary child has ended", function()
  local served = 0
  weft.scope(function(s)
    local ask, answer = weft.channel(), weft.channel()
    s:daemon(function()
      while true do answer:put(ask:get() * 2) end
    end)
    for i = 1, 5 do
      s:spawn(function()
        weft.sleep(0.001 * i)
        ask:put(i)
        served = served + answer:get()
      end)
    end
  end)
  t.eq(served, 30)
end)

t.test("weft.daemon belongs to the innermost scope", function()
  local ended
  weft.scope(function()
    weft.daemon(function()
      t.pcall(weft.sleep, 3600)
      ended = true
    end)
    weft.yield()
  end)
  t.eq(ended, true)
end)

t.test("a daemon's error fails the scope", function()
  t.raises("^daemon broke$", weft.scope, function(s)
    s:daemon(function() error("daemon broke", 0) end)
    weft.sleep(3600)
  end)
end)

t.test("a daemon that ends by itself", function()
  weft.scope(function(s)
    s:daemon(function() end)
    weft.sleep(0.002)
  end)
end)

-- ---------------------------------------------------------------- refusals

t.test("scope wants a function and known options", function()
  t.misuse("bad argument #1 to '.-scope'", function() weft.scope() end)
  t.misuse("bad argument #1 to '.-scope'", function() weft.scope(1) end)
  t.misuse("bad argument #2 to '.-scope'", function() weft.scope({}, 1) end)
  t.misuse("unknown option.-nmae", function() weft.scope({ nmae = "x" }, function() end) end)
  weft.scope(function(s)
    t.misuse("bad argument #1 to 'spawn'", function() s:spawn(1) end)
    t.misuse("bad argument #1 to 'daemon'", function() s:daemon() end)
  end)
end)

t.test("a scope has a name", function()
  weft.scope({ name = "requests" }, function(s) t.contains(tostring(s), "requests") end)
end)
