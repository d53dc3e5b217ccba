-- SPDX-License-Identifier: MIT
-- weft.embed, and native threads that post to a state and enter it (weft.h).

local t = require "harness"
local weft = require "weft"
local native = require "native_library" "weft_native"

if not native then
  t.test("native threads", function() t.skip "tests/embed was not built" end)
  return
end

-- The reactor opens what it blocks on outside a gate once, and keeps it: no leak of the first case's.
if weft.self() then
  local job = native.post(function() end, 1, 1)
  weft.sleep(0.001)
  job:join()
end

local embed = weft.embed
local OK, TIMEOUT, CLOSED, HELD, ERROR = 0, -1, -2, -3, -5

-- Outside any fiber, in a state that is attached for the time of the case.
local function attached(name, f)
  t.outside(name, function()
    embed.attach()
    local ok, e = pcall(f)
    embed.detach()
    if not ok then error(e, 0) end
  end)
end

local function drive_until(f)
  while not f() do embed.yield(1) end
end

-- Joins without being able to wait: the thread has to be done, or to need nothing of Lua any more.
local function join(job) return job:join() end

-- ---------------------------------------------------------------- posts

t.test("a post runs the handler in a fiber of its own, which may wait", function()
  local seen = weft.channel(8)
  local job = native.post(function(thread, i, text)
    t.truthy(weft.self(), "no fiber")
    weft.sleep(0.001)
    seen:put { thread, i, text }
  end, 1, 3)
  for i = 1, 3 do t.same(seen:get(), { 0, i, "frame" }) end
  t.eq(job:join(), 0)
end)

t.test("posts of each thread begin in order, and none is lost", { memory = 65536 }, function()
  local threads, each = 4, t.scale(20000, 500)
  local last, total, done = {}, 0, weft.oneshot()
  local job = native.post(function(thread, i)
    t.eq(i, (last[thread] or 0) + 1)
    last[thread] = i
    total = total + 1
    if total == threads * each then done:set(true) end
  end, threads, each)
  done:get()
  t.eq(job:join(), 0)
end)

t.test("when Lua is slow threads wait, and memory stays bounded", { memory = 65536 }, function()
  local limit = 16384
  local begun, gate = 0, weft.channel()
  local job = native.post(function()
    begun = begun + 1
    gate:get()
  end, 4, limit / 2)
  repeat weft.sleep(0.01) until begun == limit
  weft.sleep(0.05)
  t.eq(begun, limit)
  for _ = 1, 2 * limit do gate:put(true) end
  t.eq(job:join(), 0)
  t.eq(begun, 2 * limit)
end)

t.test("this thread never waits for room that it would have to make", { memory = 65536 }, function()
  local gate, ran = weft.channel(), 0
  local code, posted = native.post_here(function() ran = ran + 1 gate:get() end, 20000)
  t.eq(code, HELD)
  t.eq(posted, 16384)
  gate:close()
  repeat weft.yield() until ran == posted
end)

t.test("a thread waits for what the handler returns", function()
  local job = native.call(function(n, s, yes, half)
    weft.sleep(0.001)
    return n + 1, s .. "!", yes, half, nil, {}
  end)
  local failed, code, _, n, s, yes, half, none, text = job:join()
  t.eq(failed, 0)
  t.eq(code, OK)
  t.eq(n, 42)
  t.eq(s, "a\0b!")
  t.eq(yes, true)
  t.eq(half, 0.5)
  t.eq(none, nil)
  t.falsy(text == nil and t.puc51, "a table is its tostring")
end)

t.test("the error of a call goes to the thread that waits", function()
  local job = native.call(function() error("no luck", 0) end)
  local failed, code, _, message = job:join()
  t.eq(failed, 1)
  t.eq(code, ERROR)
  t.eq(message, "no luck")
end)

t.outside("a call that takes too long; its error then is not lost", function()
  local e = t.raises(nil, function()
    weft.run(function()
      local begun, too_late = false, weft.oneshot()
      repeat                              -- where this thread gets no time, the call is over before it begins
        local job = native.call(function()
          begun = true
          too_late:get()
          error("late", 0)
        end, 20)
        local _, code = job:join()
        t.eq(code, TIMEOUT)
      until begun
      too_late:set(true)
      weft.sleep(3600)
    end)
  end)
  t.truthy(tostring(e):find "late", tostring(e))
end)

t.outside("the error of a handler fails the root scope of the run", function()
  local job
  local e = t.raises(nil, function()
    weft.run(function()
      job = native.post(function() error("handler", 0) end, 1, 1)
      weft.sleep(3600)
    end)
  end)
  t.truthy(tostring(e):find "^handler\n", tostring(e))
  t.eq(join(job), 0)
end)

t.test("the error of a handler goes to on_error", function()
  local errors = weft.channel(4)
  embed.on_error(function(e, trace) errors:put { e, trace } end)
  local value = {}
  local job = native.post(function(_, i) error(i == 1 and value or "text", 0) end, 1, 2)
  local first, second = errors:get(), errors:get()
  embed.on_error(nil)
  t.eq(first[1], value)
  t.eq(second[1], "text")
  t.truthy(second[2]:find "traceback")
  t.eq(job:join(), 0)
end)

-- ---------------------------------------------------------------- enter

t.test("threads enter in turn", function()
  local threads, each = 8, t.scale(2000, 50)
  local share
  for _ = 1, 5 do
    local counts = {}
    function _G.native_turn(me) counts[me] = (counts[me] or 0) + 1 end
    local job = native.enter(threads, each)
    local failed, code, longer = job:join()
    _G.native_turn = nil
    t.eq(failed, 0)
    t.eq(code, OK)
    for i = 0, threads - 1 do t.eq(counts[i], each) end
    -- A thread is interrupted now and then between its look at the turns and its place in the queue.
    share = longer / (threads * each)
    if share <= 0.05 then return end
  end
  t.fail(("each time too many waited longer: %.2f of them"):format(share))
end)

t.test("threads get in between two fibers that never rest, and these get on", function()
  local turns, ended, steps = 0, false, 0
  function _G.native_turn() turns = turns + 1 end
  weft.scope(function(s)
    for _ = 1, 3 do
      s:spawn(function()
        while not ended do
          steps = steps + 1
          weft.yield()
        end
      end)
    end
    local job = native.enter(2, 200)
    t.eq(job:join(), 0)
    ended = true
  end)
  _G.native_turn = nil
  t.eq(turns, 400)
  t.truthy(steps >= 200, steps)
end)

t.test("inside, spawn and post are allowed, a wait raises", function()
  local seen, refused = weft.channel(4), nil
  function _G.native_turn()
    weft.spawn(function() seen:put "spawned" end)
    native.post_here(function() seen:put "posted" end, 1)
    local _, e = pcall(weft.sleep, 1)
    refused = e
  end
  local job = native.enter(1, 1)
  t.eq(job:join(), 0)
  _G.native_turn = nil
  local both = { [seen:get()] = true, [seen:get()] = true }
  t.truthy(both.spawned and both.posted)
  t.truthy(tostring(refused):find "only a fiber can", tostring(refused))
end)

t.test("what a thread closes while the state sleeps takes no wake-up from the others", function()
  local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local near = assert(weft.net.tcp.connect(listener:address()))
  local far = assert(listener:accept())
  local read, job = native.pipe(60)
  t.eq(select(3, weft.timeout(near:read_some_op(), 0.001):perform()), "timeout")
  function _G.native_turn() near:close() end
  local entering = native.enter(1, 1, 20)
  t.truthy(assert(weft.pollable(read)):readable())
  t.eq(entering:join(), 0)
  _G.native_turn = nil
  t.eq(job:join(), 0)
  far:close()
  listener:close()
  native.close(read)
end)

t.test("a thread may not hold two states, nor wait for the one that it runs", function()
  t.eq(native.enter_here(), HELD)
  local job = native.try_enter(1000)
  local _, code = job:join()
  t.eq(code, HELD)
end)

t.outside("try_enter gives up in time where nobody leaves", function()
  weft.run(function()
    local job = native.try_enter(20)
    repeat until job:noted() == 1         -- the state is never left
    local _, code = job:join()
    t.eq(code, TIMEOUT)
  end)
end)

-- ---------------------------------------------------------------- blocking

t.test("a blocking call parks the fiber, and another thread runs it", function()
  local others = 0
  weft.scope(function(s)
    s:daemon(function()
      while true do
        others = others + 1
        weft.yield()
      end
    end)
    repeat                                -- once more where this thread got no time meanwhile
      local before = others
      local ms, here = native.nap(30)
      t.eq(ms, 30)
      t.falsy(here)
    until others > before + 1
  end)
  local e = t.raises(nil, native.nap, 0)
  t.truthy(tostring(e):find "no nap", tostring(e))
end)

t.test("many blocking calls at once, and inside coroutines", function()
  local results = weft.map({ 5, 4, 3, 2, 1 }, function(ms) return (native.nap(ms)) end, { limit = 5 })
  t.same(results, { 5, 4, 3, 2, 1 })
  if t.puc51 then return end
  local inner = coroutine.wrap(function() coroutine.yield((native.nap(2))) end)
  t.eq(inner(), 2)
end)

t.test("a cancelled fiber ends after its blocking call", function()
  local in_time
  repeat
    weft.scope(function(s)
      local over
      local f = s:spawn(function()
        native.nap(30)
        over = true
        weft.sleep(3600)
      end)
      weft.sleep(0.005)
      in_time = not over
      f:cancel()
      t.pcall(f.join, f)
      t.truthy(over)
      t.eq(f:status(), "cancelled")
    end)
  until in_time
end)

t.outside("outside a fiber a blocking call blocks", function()
  local ms, here = native.nap(2)
  t.eq(ms, 2)
  t.truthy(here)
end)

t.test("leave_for lets threads in, not fibers", function()
  local turns, fibers = 0, 0
  function _G.native_turn() turns = turns + 1 end
  local job = native.enter(1, 5)
  weft.spawn(function() fibers = fibers + 1 end)
  repeat t.truthy(native.nap_outside(5)) until turns > 0
  t.eq(fibers, 0)
  weft.yield()
  t.eq(fibers, 1)
  t.eq(job:join(), 0)
  t.eq(turns, 5)
  _G.native_turn = nil
end)

-- ---------------------------------------------------------------- completions

t.test("what a thread completes is an operation", function()
  local op, job = native.later(5)
  t.same({ op:perform() }, { 7, "done" })
  t.same({ op:perform() }, { 7, "done" })
  job:join()
  local won, first
  repeat                                  -- the timer is the first, where this thread gets its time
    local late, other = native.later(30)
    local timer = weft.sleep_op(0.001):wrap(function() return "timer" end)
    won = weft.race { late:wrap(function() return "late" end), timer }
    first = won:perform()
    other:join()
  until first == "timer"
  t.eq(won:perform(), "late")
end)

t.test("a completion that nobody waits for any more", function()
  local job = select(2, native.later(1))
  collectgarbage()
  job:join()
  collectgarbage()
end)

t.outside("a completion needs a runtime", function()
  local e = t.raises(nil, native.later, 1)
  t.truthy(tostring(e):find "needs a runtime", tostring(e))
end)

-- ---------------------------------------------------------------- driven piece by piece

attached("yield lets handlers run, and threads in", function()
  local got
  local job = native.post(function(_, i) got = i end, 1, 1, 5)
  t.truthy(embed.yield(3600))
  t.eq(got, 1)
  t.eq(join(job), 0)
  t.falsy(embed.yield(0))
  local before = weft.now()
  t.falsy(embed.yield(0.01))
  t.truthy(weft.now() - before >= 0.01)
  local turns = 0
  function _G.native_turn() turns = turns + 1 end
  job = native.enter(1, 1, 5)
  t.truthy(embed.yield(3600))
  t.eq(turns, 1)
  t.eq(join(job), 0)
  _G.native_turn = nil
end)

attached("to yield may be all that a client does", function()
  local total = 0
  local job = native.post(function() total = total + 1 end, 4, 500)
  drive_until(function() return total == 2000 end)
  t.eq(join(job), 0)
end)

t.test("yield in a fiber waits for a handler", function()
  local got
  local job = native.post(function() got = true end, 1, 1, 5)
  t.truthy(embed.yield(3600))
  t.truthy(got)
  t.eq(job:join(), 0)
  t.falsy(embed.yield(0))
  t.falsy(embed.yield(0.001))
end)

local function readable(seconds) return embed.wait_events(seconds) end

attached("event_fd is one descriptor", function()
  local fd, message, code = embed.event_fd()
  if not fd then
    t.eq(code, "EOPNOTSUPP")
    t.skip(message)
  end
  t.eq(embed.event_fd(), fd)
end)

attached("weft.h has the functions of weft.embed", function()
  local fd = embed.event_fd()
  t.eq(native.event_fd(), fd or -1)
  t.eq(native.wait_events(), fd and 0 or -1)
  local ran, left = native.step()
  t.falsy(ran)
  t.eq(left, nil)
  local got
  weft.spawn(function()
    weft.sleep(3600)
    got = "late"
  end)
  ran, left = native.step()
  t.truthy(ran)
  t.truthy(left > 3500 * 1e9 and left <= 3600 * 1e9, left)
  t.eq(native.yield(), 0)
  local job = native.post(function() got = "posted" end, 1, 1, 10)
  t.eq(native.wait_events(3600000), fd and 1 or -1)
  t.eq(native.yield(3600000), 1)
  t.eq(got, "posted")
  t.eq(join(job), 0)
end)

attached("weft.h raises the failure of a fiber, and misuse", function()
  weft.spawn(function() error("it fails", 0) end)
  t.raises("it fails", function() native.step() end)
  local message
  local job = weft.spawn(function() message = select(2, pcall(native.step)) end)
  while job:status() ~= "done" do native.step() end
  t.match(message, "'step' inside a fiber")
end)

attached("wait_events: threads, timers, fibers", function()
  if not embed.event_fd() then t.skip "no descriptor of this backend" end
  t.falsy(readable(0))
  t.falsy(readable(0.01))
  local got = 0
  local job = native.post(function() got = got + 1 end, 1, 1, 10)
  t.truthy(readable(3600))
  t.truthy(readable(0))
  t.truthy(embed.yield(1))
  t.eq(got, 1)
  t.eq(join(job), 0)
  embed.step()
  t.falsy(readable(0))
  local late = weft.spawn(function() weft.sleep(3600) end)
  t.truthy(readable(0))
  embed.step()
  t.falsy(readable(0))
  late:cancel()
  weft.spawn(function() weft.sleep(0.01) got = "timer" end)
  repeat local ran = embed.step() until not ran
  if got ~= "timer" then t.truthy(readable(3600)) end
  while got ~= "timer" do embed.step(1) end
  function _G.native_turn() got = "entered" end
  job = native.enter(1, 1)
  t.truthy(readable(3600))
  embed.yield(3600)
  t.eq(got, "entered")
  t.eq(join(job), 0)
  _G.native_turn = nil
end)

-- ---------------------------------------------------------------- a process that forks

-- The rest of a child, which ends with 0 when f does not raise.
local function be_child(f)
  local ok, e = pcall(f)
  if not ok then io.stderr:write("in a child: ", tostring(e), "\n") end
  native.exit(ok and 0 or 1)
end

-- What a child finds of its parent's: nothing that waits, and each of them says so.
local function is_closed(tokens)
  t.same({ native.use(tokens, true) }, { CLOSED, CLOSED, CLOSED, CLOSED })
  native.release(tokens)
end

-- A runtime of the child's own, with threads of its own.
local function works_anew()
  local count, job = 0, nil
  weft.run(function()
    local all = weft.oneshot()
    job = native.post(function()
      count = count + 1
      if count == 400 then all:set(true) end
    end, 4, 100)
    all:get()
    t.eq(job:join(), 0)
    t.eq(native.nap(1), 1)
  end)
  t.eq(count, 400)
  embed.attach()
  local got
  job = native.post(function(_, i) got = i end, 1, 1)
  while not got do embed.yield(1) end
  t.eq(join(job), 0)
  embed.detach()
end

local function needs_forks()
  if os.getenv "WEFT_TEST_SANITIZED" == "tsan" then t.skip "TSan ends a child that starts a thread" end
end

attached("a fork while nothing happens", function()
  needs_forks()
  local got = 0
  local tokens = native.tokens(function() got = got + 1 end)
  embed.event_fd()
  local child = native.fork()
  if child == 0 then
    be_child(function()
      is_closed(tokens)
      t.raises("runtime", embed.detach)
      works_anew()
      t.eq(got, 0)
    end)
  end
  t.eq(native.wait(child), 0)
  t.eq(native.use(tokens, true), OK)
  while got == 0 do embed.yield(1) end
  t.eq(got, 1)
  native.release(tokens)
end)

t.outside("forks while threads post, and others enter", { memory = 65536 }, function()
  needs_forks()
  local each, children = t.scale(20000, 2000), {}
  local last, total, turns, threads = {}, 0, 0, 4
  local tokens, in_parent
  function _G.native_turn() turns = turns + 1 end
  local ok, e = pcall(weft.run, function()
    tokens = native.tokens(function() end)
    local all = weft.oneshot()
    local posting = native.post(function(thread, i)
      t.eq(i, (last[thread] or 0) + 1)
      last[thread] = i
      total = total + 1
      if total == threads * each then all:set(true) end
    end, threads, each)
    local entering = native.enter(2, 200)
    for _ = 1, 8 do
      weft.yield()
      local child = native.fork()
      in_parent = child > 0
      if not in_parent then break end
      children[#children + 1] = child
    end
    if not in_parent then weft.sleep(3600) end
    all:get()
    t.eq(posting:join(), 0)
    t.eq(entering:join(), 0)
  end)
  if not in_parent then
    be_child(function()
      t.falsy(ok)
      t.match(tostring(e), "forked inside weft.run")
      is_closed(tokens)
      works_anew()
    end)
  end
  _G.native_turn = nil
  t.eq(select(4, native.use(tokens, true)), CLOSED) -- the run has ended
  t.truthy(ok, tostring(e))
  t.eq(total, threads * each)
  t.eq(turns, 400)
  native.release(tokens)
  for _, child in ipairs(children) do t.eq(native.wait(child), 0) end
end)
