-- SPDX-License-Identifier: MIT
-- Operations: choose, wrap, perform, perform_alt, or_else, try, on_abort.

local t = require "harness"
local weft = require "weft"

local function value(v) return function() return v end end

-- ---------------------------------------------------------------- choose

t.test("the arm that is ready wins", function()
  local a, b = weft.channel(1), weft.channel(1)
  b:put("from b")
  t.eq(weft.choose(a:get_op(), b:get_op()):perform(), "from b")
  a:put("from a")
  t.eq(weft.choose(a:get_op(), b:get_op()):perform(), "from a")
end)

t.test("the arm that becomes ready wins", function()
  local a, b = weft.channel(), weft.channel()
  weft.spawn(function()
    weft.sleep(0.002)
    b:put("late")
  end)
  t.eq(weft.choose(a:get_op(), b:get_op()):perform(), "late")
end)

t.test("a put arm and a get arm of two choices meet", function()
  local a, b = weft.channel(), weft.channel()
  local f = weft.spawn(function()
    return weft.choose(a:put_op("x"):wrap(value "put"), b:get_op()):perform()
  end)
  local v = weft.choose(b:put_op("y"):wrap(value "put"), a:get_op()):perform()
  local w = f:join()
  t.truthy((v == "x" and w == "put") or (v == "put" and w == "y"), t.show({ v, w }))
end)

t.test("one arm", function()
  local ch = weft.channel(1)
  ch:put(1)
  t.eq(weft.choose(ch:get_op()):perform(), 1)
end)

t.test("a table of arms", function()
  local ch = weft.channel(1)
  ch:put("in a table")
  t.eq(weft.choose({ weft.channel():get_op(), ch:get_op(), weft.sleep_op(3600) }):perform(), "in a table")
end)

t.test("many arms", function()
  for _, n in ipairs { 2, 3, 8, 64, 500 } do
    local chans, arms = {}, {}
    for i = 1, n do
      chans[i] = weft.channel()
      arms[i] = chans[i]:get_op():wrap(function(v) return i, v end)
    end
    local choice = weft.choose(arms)
    for _, pick in ipairs { 1, math.floor(n / 2), n } do
      weft.spawn(function() chans[pick]:put(pick * 10) end)
      t.returns(t.pack(pick, pick * 10), choice:perform())
    end
    for i = 1, n do t.eq(chans[i]:try_put(0), false) end
  end
end)

t.test("choices nest", function()
  local a, b, c = weft.channel(), weft.channel(), weft.channel()
  local inner = weft.choose(a:get_op(), b:get_op()):wrap(function(v) return "inner", v end)
  local outer = weft.choose(inner, c:get_op():wrap(function(v) return "c", v end))
  local deep = weft.choose(weft.choose(weft.choose(outer)))
  for _, case in ipairs { { a, "inner" }, { b, "inner" }, { c, "c" } } do
    weft.spawn(function() case[1]:put(7) end)
    t.returns(t.pack(case[2], 7), deep:perform())
  end
end)

t.test("an empty choice is refused", function()
  t.misuse("choose", function() weft.choose() end)
  t.misuse("choose", function() weft.choose({}) end)
end)

t.test("an arm must be an operation", function()
  local op = weft.sleep_op(1)
  t.misuse("bad argument #1 to '.-choose'", function() weft.choose(1) end)
  t.misuse("bad argument #2 to '.-choose'", function() weft.choose(op, "x") end)
  t.misuse("bad argument #2 to '.-choose'", function() weft.choose(op, weft.channel()) end)
  t.misuse("choose", function() weft.choose({ op, 5 }) end)
  t.misuse("bad argument #2 to '.-choose'", function() weft.choose(op, nil) end)
end)

-- ---------------------------------------------------------------- fairness, order

t.test("over many performs each ready arm is chosen about equally often", function()
  for _, n in ipairs { 2, 3, 5 } do
    local chans, arms, hits = {}, {}, {}
    for i = 1, n do
      chans[i] = weft.channel(math.huge)
      hits[i] = 0
      arms[i] = chans[i]:get_op():wrap(function() hits[i] = hits[i] + 1 end)
    end
    local rounds = t.scale(3000, 600)
    for i = 1, n do for _ = 1, rounds do chans[i]:put(0) end end
    local choice = weft.choose(arms)
    for _ = 1, rounds do choice:perform() end
    for i = 1, n do
      t.share(hits[i], rounds, 1 / n, "arm " .. i .. " of " .. n)
    end
  end
end)

t.test("a nested choice is fair over its arms", function()
  local hits = { 0, 0, 0 }
  local function arm(i)
    local ch = weft.channel(1)
    ch:close()
    return ch:get_op():wrap(function() hits[i] = hits[i] + 1 end)
  end
  local choice = weft.choose(arm(1), weft.choose(arm(2), arm(3)))
  local rounds = t.scale(3000, 600)
  for _ = 1, rounds do choice:perform() end
  for i = 1, 3 do t.share(hits[i], rounds, 1 / 3, "arm " .. i) end
end)

t.test("waiting choices are first in, first out", function()
  local ch, other, got = weft.channel(), weft.channel(), {}
  for i = 1, 10 do
    weft.spawn(function() got[i] = weft.choose(other:get_op(), ch:get_op()):perform() end)
  end
  weft.yield()
  for i = 1, 10 do ch:put(i) end
  t.settle(2)
  for i = 1, 10 do t.eq(got[i], i) end
end)

-- ---------------------------------------------------------------- wrap

t.test("wrap maps all values", function()
  local ch = weft.channel(1)
  ch:put(4)
  t.returns(t.pack(4, nil, 16, nil), ch:get_op():wrap(function(v) return v, nil, v * v, nil end):perform())
  ch:put(nil)
  t.eq(ch:get_op():wrap(function(...) return select("#", ...) end):perform(), 1)
  t.returns(t.pack(), weft.sleep_op(0):wrap(function() end):perform())
end)

t.test("wraps apply inside out", function()
  local ch = weft.channel(1)
  ch:put("x")
  local op = weft.choose(
    ch:get_op():wrap(function(v) return v .. "1" end):wrap(function(v) return v .. "2" end)
  ):wrap(function(v) return v .. "3" end)
  t.eq(weft.choose(op, weft.channel():get_op()):wrap(function(v) return v .. "4" end):perform(), "x1234")
end)

t.test("wrap leaves the operation that it was called on alone", function()
  local ch = weft.channel(2)
  local plain = ch:get_op()
  local wrapped = plain:wrap(function(v) return v * 2 end)
  ch:put(5)
  ch:put(5)
  t.eq(plain:perform(), 5)
  t.eq(wrapped:perform(), 10)
end)

t.test("only the winner's wrap runs, in the performer", function()
  local me, ran = weft.self(), {}
  local a, b = weft.channel(), weft.channel()
  weft.spawn(function() a:put(1) end)
  weft.choose(
    a:get_op():wrap(function() ran[#ran + 1] = weft.self() end),
    b:get_op():wrap(function() ran[#ran + 1] = "loser" end)
  ):perform()
  t.same(#ran, 1)
  t.eq(ran[1], me)
end)

t.test("a wrap may block", function()
  local a, b = weft.channel(), weft.channel()
  weft.spawn(function()
    a:put(1)
    weft.sleep(0.002)
    b:put(2)
  end)
  t.eq(a:get_op():wrap(function(v) return v + b:get() end):perform(), 3)
  t.eq(weft.choose(weft.sleep_op(0), weft.sleep_op(3600)):wrap(function()
    weft.sleep(0.001)
    return weft.choose(weft.sleep_op(0.001):wrap(value "inner")):perform()
  end):perform(), "inner")
end)

t.test("an error in a wrap surfaces at the perform, untouched", function()
  local ch = weft.channel(1)
  local e = {}
  ch:put(1)
  t.raises_value(e, function() ch:get_op():wrap(function() error(e) end):perform() end)
  t.eq(#ch, 0)
  local f = weft.async(function()
    weft.choose(ch:get_op():wrap(function() error(e) end), weft.sleep_op(3600)):perform()
  end)
  weft.yield()
  ch:put(2)
  t.raises_value(e, f.join, f)
end)

t.test("the example of the manual: a time-out that raises", function()
  local ch = weft.channel()
  t.raises("too slow", function()
    weft.choose(ch:get_op(), weft.sleep_op(0.001):wrap(function() error "too slow" end)):perform()
  end)
end)

t.test("wrap wants a function", function()
  local op = weft.sleep_op(0)
  t.misuse("bad argument #1 to 'wrap'", function() op:wrap() end)
  t.misuse("bad argument #1 to 'wrap'", function() op:wrap("f") end)
  if op.on_abort then t.misuse("bad argument #1 to 'on_abort'", function() op:on_abort(1) end) end
  t.misuse("bad argument #1 to 'or_else'", function() op:or_else() end)
  t.misuse("bad argument #1 to 'perform_alt'", function() op:perform_alt({}) end)
end)

-- ---------------------------------------------------------------- try, or_else, perform_alt

t.test("try completes now or says false", function()
  local ch = weft.channel(1)
  t.returns(t.pack(false), ch:get_op():try())
  t.returns(t.pack(true), weft.choose(ch:put_op(1)):wrap(function() end):try())
  t.returns(t.pack(true, 1), ch:get_op():try())
  ch:put(nil)
  t.returns(t.pack(true, nil), ch:get_op():try())
  t.returns(t.pack(false), weft.choose(ch:get_op(), weft.sleep_op(3600)):try())
end)

t.test("try runs wraps", function()
  local ch = weft.channel(1)
  ch:put(3)
  t.returns(t.pack(true, 9, nil), ch:get_op():wrap(function(v) return v * v, nil end):try())
  t.eq(ch:get_op():wrap(function() t.fail() end):try(), false)
end)

t.test("try leaves nothing behind", function()
  local a, b = weft.channel(), weft.channel()
  for _ = 1, 100 do t.eq(weft.choose(a:get_op(), b:put_op(1)):try(), false) end
  t.eq(a:try_put(1), false)
  t.eq(b:try_get(), false)
end)

t.test("perform_alt", function()
  local ch = weft.channel(1)
  t.returns(t.pack("nothing", nil), ch:get_op():perform_alt(function() return "nothing", nil end))
  ch:put(nil)
  t.returns(t.pack(nil), ch:get_op():perform_alt(function() t.fail() end))
  ch:put(8)
  t.eq(weft.choose(weft.channel():get_op(), ch:get_op()):perform_alt(value "alt"), 8)
end)

t.test("the alternative may block, and raise", function()
  local ch = weft.channel()
  t.eq(ch:get_op():perform_alt(function()
    weft.sleep(0.001)
    return "slept"
  end), "slept")
  t.raises("^alt$", function() ch:get_op():perform_alt(function() error("alt", 0) end) end)
end)

t.test("or_else never waits", function()
  local ch = weft.channel(1)
  local op = ch:get_op():or_else(value "default")
  t.eq(op:perform(), "default")
  ch:put("there")
  t.eq(op:perform(), "there")
  t.eq(op:perform(), "default")
  t.returns(t.pack(true, "default"), op:try())
  t.eq(op:wrap(function(v) return v .. "!" end):perform(), "default!")
end)

t.test("in a choice it is the default of the whole choice", function()
  local a, b = weft.channel(1), weft.channel(1)
  local choice = weft.choose(a:get_op():or_else(value "default"), b:get_op())
  t.eq(choice:perform(), "default")
  for _ = 1, 50 do
    b:put("b")
    t.eq(choice:perform(), "b")
  end
  a:put("a")
  t.eq(choice:perform(), "a")
end)

t.test("two defaults in one choice are refused", function()
  local a, b = weft.channel(), weft.channel()
  t.raises("or_else", function()
    weft.choose(a:get_op():or_else(value(1)), b:get_op():or_else(value(2))):perform()
  end)
end)

-- ---------------------------------------------------------------- on_abort

t.test("on_abort runs for a loser, not for the winner", function()
  if not weft.sleep_op(0).on_abort then t.skip "not yet" end
  local log = {}
  local function noted(op, name) return op:on_abort(function() log[#log + 1] = name end) end
  local ready = weft.channel(1)
  ready:put(1)
  weft.choose(noted(ready:get_op(), "ready"), noted(weft.channel():get_op(), "never")):perform()
  t.settle(2)
  t.same(log, { "never" })
  log = {}
  weft.choose(noted(weft.sleep_op(0.001), "short"), noted(weft.sleep_op(3600), "long")):perform()
  t.settle(2)
  t.same(log, { "long" })
end)

t.test("on_abort of a whole choice, and when cancelled", function()
  if not weft.sleep_op(0).on_abort then t.skip "not yet" end
  local log = {}
  local f = weft.spawn(function()
    weft.choose(weft.channel():get_op(), weft.sleep_op(3600)):on_abort(function() log[#log + 1] = "gone" end)
      :perform()
  end)
  weft.yield()
  f:cancel()
  t.pcall(f.join, f)
  t.settle(2)
  t.same(log, { "gone" })
end)

-- ---------------------------------------------------------------- self-match, reuse

t.test("a choice never matches itself", function()
  local ch = weft.channel()
  local both = weft.choose(ch:get_op():wrap(function(v) return "got", v end),
    ch:put_op("mine"):wrap(value "put"))
  t.eq(both:try(), false)
  local f = weft.spawn(function() return both:perform() end)
  t.settle(3)
  t.eq(f:status(), "parked")
  ch:put("a third party's")
  t.returns(t.pack("got", "a third party's"), f:join())
  local g = weft.spawn(function() return both:perform() end)
  t.settle(3)
  t.eq(ch:get(), "mine")
  t.eq(g:join(), "put")
end)

t.test("two such choices match each other", function()
  local ch = weft.channel()
  local function both(v) return weft.choose(ch:get_op(), ch:put_op(v):wrap(value "put")) end
  local f = weft.spawn(function() return both("f"):perform() end)
  local g = weft.spawn(function() return both("g"):perform() end)
  local a, b = f:join(), g:join()
  t.truthy((a == "put" and b == "f") or (a == "g" and b == "put"), t.show({ a, b }))
end)

t.test("the same arm twice", function()
  local ch = weft.channel()
  local op = ch:get_op()
  local choice = weft.choose(op, op, op)
  for i = 1, 5 do
    weft.spawn(function() ch:put(i) end)
    t.eq(choice:perform(), i)
  end
  t.eq(ch:try_put(0), false)
end)

t.test("an operation is a value: built once, performed many times", function()
  local ch = weft.channel(1)
  local put, get = ch:put_op("again"), ch:get_op()
  for _ = 1, 100 do
    put:perform()
    t.eq(get:perform(), "again")
  end
end)

t.test("one prebuilt choice performed by several fibers at once", function()
  local a, b, got = weft.channel(), weft.channel(), {}
  local choice = weft.choose(a:get_op(), b:get_op():wrap(function(v) return v end))
  weft.scope(function(s)
    for i = 1, 10 do
      s:spawn(function() got[i] = choice:perform() end)
    end
    t.settle(2)
    for i = 1, 10 do (i % 2 == 0 and a or b):put(i) end
  end)
  for i = 1, 10 do t.eq(got[i], i) end
end)

t.test("a prebuilt sleep counts from each perform", function()
  local op = weft.sleep_op(0.01)
  weft.sleep(0.02)
  for _ = 1, 3 do t.truthy(t.timed(op.perform, op) >= 0.01) end
end)

t.test("an operation outlives the fiber that built it", function()
  local op = weft.spawn(function()
    local ch = weft.channel(1)
    ch:put("kept alive by its operation")
    return ch:get_op()
  end):join()
  collectgarbage()
  collectgarbage()
  t.eq(op:perform(), "kept alive by its operation")
end)

t.test("tostring", function()
  t.match(tostring(weft.sleep_op(1)), "op")
  t.match(tostring(weft.choose(weft.sleep_op(1))), "op")
end)

-- ---------------------------------------------------------------- losers

t.test("a lost arm leaves no message and takes none", function()
  local a, b = weft.channel(), weft.channel()
  for i = 1, 100 do
    weft.spawn(function() b:put(i) end)
    local v = weft.choose(a:put_op("lost"):wrap(value "put"), a:get_op(), b:get_op()):perform()
    t.eq(v, i)
    t.eq(a:try_get(), false)
    t.eq(a:try_put(1), false)
  end
end)

t.test("a lost get does not swallow the next message", function()
  local ch = weft.channel()
  for i = 1, 50 do
    t.eq(weft.choose(ch:get_op(), weft.sleep_op(0.0002):wrap(value "late")):perform(), "late")
    local f = weft.spawn(function() ch:put(i) end)
    t.eq(ch:get(), i)
    f:join()
  end
end)

t.test("messages over choices are neither lost nor doubled", function()
  local n = t.scale(5000, 100)
  local a, b, stop = weft.channel(), weft.channel(1), weft.channel()
  local sent, got = 0, {}
  weft.scope(function(s)
    for w = 0, 3 do
      s:spawn(function()
        for i = 1, n do
          weft.choose(a:put_op(w * n + i), b:put_op(w * n + i)):perform()
          sent = sent + 1
        end
        if sent == 4 * n then stop:close() end
      end)
    end
    for _ = 1, 3 do
      s:spawn(function()
        local arms = weft.choose(a:get_op(), b:get_op(), stop:get_op())
        while true do
          local v, why = arms:perform()
          if why then break end
          if got[v] then t.fail("twice: " .. v) end
          got[v] = true
        end
      end)
    end
  end)
  while #b > 0 do got[b:get()] = true end
  for i = 1, 4 * n do if not got[i] then t.fail("lost: " .. i) end end
end)

t.test("a choice built again has the arms of this call, in their order", function()
  local a, b, c = weft.channel(1), weft.channel(1), weft.channel(1)
  local function built(...)
    local ops, arms = {}, { ... }
    for i = 1, #arms do ops[i] = arms[i]:get_op() end
    return weft.choose(ops)
  end
  for _ = 1, 3 do
    for _, arms in ipairs { { a, b }, { b, a }, { a, c, b }, { a, b, b }, { a }, { c, b } } do
      local first = arms[1]
      first:put "first"
      t.eq(built((table.unpack or unpack)(arms)):perform(), "first")
      arms[#arms]:put "last"
      t.eq(weft.choose(built((table.unpack or unpack)(arms)), weft.never()):perform(), "last")
    end
  end
end)

t.test("nothing keeps a choice of lasting operations alive", function()
  local kept = setmetatable({}, { __mode = "k" })
  for i = 1, 100 do
    local ch = weft.channel()
    kept[ch], kept[weft.choose(ch:get_op(), weft.channel():get_op())] = true, i
  end
  collectgarbage()
  collectgarbage()
  t.eq(next(kept), nil)
end)

t.test("choose refuses what is no operation, by its place, also where it has built a choice before", function()
  local op = weft.channel():get_op()
  local choice = weft.choose(op, op)
  t.raises("bad argument #2 to 'choose' %(operation expected, got number%)", weft.choose, op, 1)
  t.raises("bad argument #2 to 'choose' %(operation expected, got table%)", weft.choose, { op, {} })
  t.eq(tostring(choice), tostring(weft.choose(op, op)))
end)
