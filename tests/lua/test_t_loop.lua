-- SPDX-License-Identifier: MIT
-- t.Loop: what its document promises, and each thing that the original got wrong.

local t = require "harness"
local weft = require "weft"
local Loop = require "t.Loop"
local Time = require "t.Time"
local Socket = require "t.Net.Socket"

-- Both ways to run a loop: in a fiber, and in a program that has none.
local function both(name, opts, f)
  if not f then opts, f = {}, opts end
  t.test(name .. " (in a fiber)", opts, f)
  t.outside(name, opts, f)
end

local function nothing() end

-- Keeps the processor busy.
local function spin(seconds)
  local till = weft.now() + seconds
  while weft.now() < till do nothing() end
end

-- A callback that notes its argument.
local function noter()
  local list = {}
  return list, function(v) list[#list + 1] = v end
end

local function joined(list) return table.concat(list, " ") end

-- A pipe as Lua files, by way of a fifo: reader, writer.
local function pipe()
  local path = os.tmpname()
  os.remove(path)
  os.execute("mkfifo " .. path)
  local keeper = assert(io.open(path, "r+"))
  local reader, writer = assert(io.open(path, "r")), assert(io.open(path, "w"))
  keeper:close()
  os.remove(path)
  writer:setvbuf "no"
  return reader, writer
end

-- ---------------------------------------------------------------- running

both("an empty loop returns at once", function()
  local l = Loop()
  t.returns(t.pack(), l:run())
  t.returns(t.pack(), l:run())
end)

both("arguments of Loop are ignored", function()
  local l = Loop(1000, "x", {})
  t.eq(#l, 0)
  t.match(tostring(l), "^t%.Loop{0}: 0x%x+$")
end)

both("run ends when nothing is left", function()
  local l = Loop()
  local list, note = noter()
  l:addTask(1, note, 1)
  l:run()
  l:addTask(1, note, 2)
  l:run()
  t.eq(joined(list), "1 2")
end)

both("arguments pass, nil too", function()
  local l = Loop()
  local got
  l:addTask(1, function(...) got = t.pack(...) end, 1, nil, "x", nil)
  l:run()
  t.same(got, t.pack(1, nil, "x", nil))
end)

both("stop: no call begins any more, what is left waits for the next run", function()
  local l = Loop()
  local list, note = noter()
  for i = 1, 3 do
    l:addTask(1, function()
      note(i)
      if i == 2 then t.returns(t.pack(), l:stop()) end
    end)
  end
  t.returns(t.pack(), l:run())
  t.eq(joined(list), "1 2")
  l:run()
  t.eq(joined(list), "1 2 3")
end)

both("stop outside a run does nothing", function()
  local l = Loop()
  local list, note = noter()
  l:stop()
  l:addTask(1, note, 1)
  l:stop()
  l:run()
  t.eq(joined(list), "1")
end)

both("stop ends the calls that wait, but not the one that asks", function()
  local l = Loop()
  local list, note = noter()
  l:addTask(1, function()
    local ok, e = weft.pcall(weft.sleep, 3600)
    t.truthy(not ok and weft.is_cancelled(e))
    note "cancelled"
    weft.sleep(3600)
  end)
  l:addTask(5, function()
    l:stop()
    weft.sleep(0.001)
    note "asked"
  end)
  l:run()
  table.sort(list)
  t.eq(joined(list), "asked cancelled")
end)

both("stop ends the fibers that calls have spawned", function()
  local l = Loop()
  l:addTask(1, function()
    weft.spawn(weft.sleep, 3600)
    l:stop()
  end)
  l:run()
end)

both("a loop runs once at a time, but anew after a stop", function()
  local l = Loop()
  local list, note = noter()
  l:addTask(1, function()
    t.misuse("the loop runs already", function() l:run() end)
    l:stop()
    l:addTask(1, note, "inner")
    l:run()
    note "outer"
  end)
  l:addTask(500, note, "second")
  l:run()
  t.eq(joined(list), "inner second outer")
end)

both("clean empties the loop, which ends", function()
  local l = Loop()
  local list, note = noter()
  local reader, writer = pipe()
  l:addHandle(reader, "r", note, "never")
  l:addHandle(writer, "w", function()
    note "once"
    t.returns(t.pack(), l:clean())
    t.eq(#l, 0)
  end)
  l:addTask(3600000, note, "never")
  l:run()
  t.eq(joined(list), "once")
  reader:close()
  writer:close()
end)

both("several loops at once", function()
  local list, note = noter()
  local a, b = Loop(), Loop()
  a:addTask(1, function()
    note "a"
    b:addTask(1, note, "b")
    b:run()
    note "a again"
  end)
  a:run()
  t.eq(joined(list), "a b a again")
end)

t.test("several loops side by side", function()
  weft.test({}, function()
    local list, note = noter()
    weft.scope(function(scope)
      for _ = 1, 5 do
        local l = Loop()
        for k = 1, 3 do l:addTask(10 * k, note, k) end
        scope:spawn(l.run, l)
      end
    end)
    t.eq(joined(list), "1 1 1 1 1 2 2 2 2 2 3 3 3 3 3")
  end)
end)

t.test("a cancelled run leaves the loop whole", function()
  weft.test({}, function()                -- its clock stands still while a fiber can run
    local l = Loop()
    local list, note = noter()
    l:addTask(10, note, 1)
    local fiber = weft.async(l.run, l)
    weft.sleep(0.005)
    fiber:cancel()
    t.pcall(fiber.join, fiber)
    t.eq(joined(list), "")
    l:run()
    t.eq(joined(list), "1")
  end)
end)

-- ---------------------------------------------------------------- tasks

both("tasks run in the order in which they are due, equal ones as they were added", function()
  local l = Loop()
  local list, note = noter()
  for i = 1, 4 do l:addTask(20, note, i) end
  l:addTask(10, note, 0)
  l:addTask(30, note, 9)
  for i = 5, 8 do l:addTask(20, note, i) end
  l:run()
  t.eq(joined(list), "0 1 2 3 4 5 6 7 8 9")
end)

both("also those that a task adds", function()
  local l = Loop()
  local list, note = noter()
  l:addTask(1, function()
    for i = 1, 9 do l:addTask(0, note, i) end
  end)
  l:run()
  t.eq(joined(list), "1 2 3 4 5 6 7 8 9")
end)

both("a task is not early", function()
  local l = Loop()
  local start = weft.now()
  local took
  l:addTask(20, function() took = weft.now() - start end)
  l:run()
  t.truthy(took >= 0.02, took)
end)

both("an integer greater than 1 reschedules, with the same arguments", function()
  local l = Loop()
  local n = 0
  local task = l:addTask(1, function(a, b)
    t.eq(a, "a")
    t.eq(b, nil)
    n = n + 1
    return n < 4 and 2 or nil
  end, "a", nil)
  l:run()
  t.eq(n, 4)
  t.eq(l:cancelTask(task), false)
end)

both("everything else does not", function()
  local l = Loop()
  for _, v in ipairs { 1, 0, -5, 1.5, math.huge, 0 / 0, "20", true, {} } do
    local n = 0
    l:addTask(1, function()
      n = n + 1
      if n == 1 then return v end
    end)
    l:run()
    t.eq(n, 1, tostring(v))
  end
end)

both("a t.Time for the milliseconds", function()
  local l = Loop()
  local list, note = noter()
  l:addTask(Time(20), note, "b")
  l:addTimer(10, note, "a")
  l:addTimer(Time(25) + Time(5), note, "c")
  l:run()
  t.eq(joined(list), "a b c")
end)

both("each addTask is a task of its own", function()
  local l = Loop()
  local list, note = noter()
  local a, b = l:addTask(1, note, 1), l:addTask(1, note, 1)
  t.ne(a, b)
  l:run()
  t.eq(joined(list), "1 1")
end)

both("cancelTask says whether there was something to cancel", function()
  local l, other = Loop(), Loop()
  local list, note = noter()
  local a, b = l:addTask(1, note, "a"), nil
  local c = l:addTask(5, note, "c")
  b = l:addTask(2, function()
    t.eq(l:cancelTask(c), true)
    t.eq(l:cancelTask(c), false)
    t.eq(l:cancelTask(b), true, "itself: it is not called again")
    return 2
  end)
  local d = l:addTask(1, note, "d")
  t.eq(other:cancelTask(d), false, "of another loop")
  t.eq(l:cancelTask(d), true)
  l:run()
  t.eq(joined(list), "a")
  t.eq(l:cancelTask(a), false)
  t.eq(l:cancelTask(b), false)
end)

both("a task that is cancelled in the middle of its call is not called again", function()
  local l = Loop()
  local n = 0
  local task = l:addTask(1, function()
    n = n + 1
    weft.sleep(0.02)
    return 2
  end)
  l:addTask(5, function() t.eq(l:cancelTask(task), true) end)
  l:run()
  t.eq(n, 1)
end)

both("a busy call does not delay the other tasks: due times stand", function()
  local l = Loop()
  local list, note = noter()
  l:addTask(60, note, "first")
  l:addTask(1, function()
    spin(0.05)
    l:addTask(50, note, "second")         -- due at 101: behind the one that is due at 60
  end)
  l:run()
  t.eq(joined(list), "first second")
end)

both("busy tasks do not starve others", function()
  local l = Loop()
  local n = 0
  for _ = 1, 2 do
    l:addTask(2, function()
      spin(0.004)
      n = n + 1
      return 2
    end)
  end
  l:addTask(30, l.stop, l)
  l:run()
  t.truthy(n > 0)
end)

both("a call may wait: the others go on meanwhile", function()
  local l = Loop()
  local list, note = noter()
  local ch = weft.channel()
  l:addTask(1, function()
    note "waits"
    note(ch:get())
  end)
  l:addTask(5, note, "goes on")
  l:addTask(10, function() ch:put "got it" end)
  l:run()
  t.eq(joined(list), "waits goes on got it")
end)

t.test("tasks between two runs: the loop's clock stands still", function()
  weft.test({}, function()
    local l = Loop()
    local list, note = noter()
    l:addTask(20, note, "20")
    l:addTask(1, l.stop, l)
    l:run()
    weft.sleep(3600)
    local since = weft.now()
    l:addTask(2, note, "2")               -- 19 are left of the other
    l:run()
    t.eq(joined(list), "2 20")
    t.between(weft.now() - since, 0.0189, 0.0191, "of a clock that does nothing else")
  end)
end)

t.test("when tasks are called, exactly", function()
  weft.test({}, function()
    local l = Loop()
    local list, note = noter()
    local start = weft.now()
    local function at() note(math.floor((weft.now() - start) * 1000 + 0.5)) end
    l:addTask(10, function()
      at()
      weft.sleep(0.005)                   -- the next time counts from its end
      return #list < 6 and 10 or nil
    end)
    l:addTask(12, at)
    l:addTask(25, function()
      at()
      l:addTask(0, at)
      l:addTask(100, at)
    end)
    l:run()
    t.eq(joined(list), "10 12 25 25 25 40 125")
  end)
end)

both("tasks at scattered times, many of them cancelled", function()
  local l = Loop()
  local list, note = noter()
  local task = l:addTask(0, nothing)
  local kept, at = {}, 1
  for i = 1, 120 do
    at = at * 7919 % 1009
    local added = l:addTask(at % 20, note, i)
    if i % 3 == 0 then kept[#kept + 1] = { due = at % 20, i = i } else kept[added] = true end
  end
  for key in pairs(kept) do
    if type(key) == "userdata" then t.eq(l:cancelTask(key), true) end
  end
  table.sort(kept, function(a, b)
    if a.due ~= b.due then return a.due < b.due end
    return a.i < b.i
  end)
  local expected = {}
  for i, entry in ipairs(kept) do expected[i] = entry.i end
  for i = 1, #expected do
    task = task:getuservalue(1)
    t.eq(task:getuservalue(2)[2], expected[i], "the next one")
  end
  t.eq(task:getuservalue(1), nil)
  l:run()
  t.eq(joined(list), joined(expected))
end)

t.outside("adding and cancelling tasks costs no more when there are many", function()
  if t.jit then                           -- what it compiles does not count
    require "jit".off()
    require "jit".flush()
  end
  local function steps(n)
    local l, list, count, at = Loop(), {}, 0, 1
    debug.sethook(function() count = count + 1 end, "", 100)
    for i = 1, n do
      at = at * 16807 % 2147483647
      list[i] = l:addTask(at % 1000000, nothing)
    end
    for i = 1, n do l:cancelTask(list[i]) end
    debug.sethook()
    return count
  end
  local few, many = steps(500), steps(8000)
  if t.jit then require "jit".on() end
  t.truthy(many / few < 48, ("sixteen times as many cost %.1f times as much"):format(many / few))
end)

both("many tasks", { memory = 4096 }, function() -- the runtime's tables stay as large as so many fibers made them
  local l = Loop()
  local n, total = 0, t.scale(20000, 1000)
  for i = 1, total do
    l:addTask((i * 7919) % 50, function() n = n + 1 end)
  end
  l:run()
  t.eq(n, total)
end)

-- ---------------------------------------------------------------- errors

both("an error surfaces from run and leaves the loop whole", function()
  local l = Loop()
  local list, note = noter()
  local failure = setmetatable({}, { __tostring = function() return "failure" end })
  l:addTask(1, error, failure)
  l:addTask(10, note, "still there")
  local reader, writer = pipe()
  writer:write "x"
  l:addHandle(reader, "r", function()
    note(reader:read(1))
    l:removeHandle(reader, "r")
  end)
  l:removeHandle(writer, "w")
  t.raises_value(failure, l.run, l)
  l:run()
  table.sort(list)
  t.eq(joined(list), "still there x")
  reader:close()
  writer:close()
end)

both("each of several errors at one time surfaces", function()
  local l = Loop()
  local list, note = noter()
  l:addTask(1, error, "one", 0)
  l:addTask(1, error, "two", 0)
  l:addTask(1, note, "three")
  t.raises("one", l.run, l)
  t.eq(joined(list), "")
  t.raises("two", l.run, l)
  l:run()
  t.eq(joined(list), "three")
end)

both("handles that are ready when another's function fails wait for the next run", function()
  local l = Loop()
  local list, note = noter()
  local a, b = assert(Socket "udp"), assert(Socket "udp")
  local to_a, to_b = a:bind("127.0.0.1", 0), b:bind("127.0.0.1", 0)
  local function fails(socket)
    note(socket:recv())
    error("failure", 0)
  end
  l:addHandle(a, "r", fails, a)
  l:addHandle(b, "r", fails, b)
  l:addTask(5, function()
    b:send("x", to_a)
    b:send("x", to_b)
  end)
  for i = 1, 2 do
    t.raises("failure", l.run, l)
    t.eq(#list, i)
  end
  l:clean()
  a:close()
  b:close()
end)

both("a call that an error elsewhere has cut off is made again", function()
  local l = Loop()
  local list, note = noter()
  local first = l:addTask(1, function()
    note "begins"
    weft.sleep(list[2] and 0.001 or 3600)
    note "ends"
    if #list < 6 then return 2 end
    l:stop()
  end)
  l:addTask(10, error, "failure", 0)
  l:addTask(3600000, nothing)
  t.raises("failure", l.run, l)
  t.eq(joined(list), "begins")
  t.match(l:show(), "^[^\n]+\n  1  {    0ms}  function\n  2  {%d+ms}  function\nT")
  note "again"
  l:run()
  t.eq(joined(list), "begins again begins ends begins ends")
  t.eq(l:cancelTask(first), false)
end)

both("a call that stop has cut off is made again, unless it is cancelled", function()
  local l = Loop()
  local list, note = noter()
  local function waits(name)
    note(name)
    if #list < 5 then weft.sleep(3600) end
  end
  l:addTask(1, waits, "a")
  local b, c = l:addTask(1, waits, "b"), l:addTask(1, waits, "c")
  local d = l:addTask(1, waits, "d")
  l:addTask(10, function()
    t.eq(l:cancelTask(b), true)
    l:stop()
    t.eq(l:cancelTask(c), true)
    t.eq(l:cancelTask(c), false)
  end)
  l:run()
  t.eq(l:cancelTask(d), true)
  note "again"
  l:run()
  t.eq(joined(list), "a b c d again a")
end)

-- A loop with a call that notes itself, and waits for long the first time; the list, and how to note.
local function loop_with_a_call_that_waits(wait)
  local l = Loop()
  local list, note = noter()
  l:addTask(1, function()
    note "called"
    if not list[2] then wait(3600) end
  end)
  return l, list, note
end

both("after a stop the call that asked goes on, and those that waited are made again", function()
  local l, list, note = loop_with_a_call_that_waits(weft.sleep)
  l:addTask(5, function()
    l:stop()
    weft.sleep(0.001)
    note "asked"
  end)
  l:run()
  l:run()
  t.eq(joined(list), "called asked called")
end)

both("a call that has caught its cancellation has been made", function()
  local l, list = loop_with_a_call_that_waits(function(s) weft.pcall(weft.sleep, s) end)
  l:addTask(5, l.stop, l)
  l:run()
  l:run()
  t.eq(joined(list), "called")
end)

t.test("a call that a cancelled run has cut off is made again", function()
  local l, list = loop_with_a_call_that_waits(weft.sleep)
  t.eq(weft.is_timeout(select(2, weft.pcall(weft.scope, { timeout = 0.01 }, function() l:run() end))), true)
  l:run()
  t.eq(joined(list), "called called")
end)

t.outside("an error names the line of addTask or addHandle, and shows no function of ours", function()
  local l = Loop()
  local function fails() error("failure", 0) end
  local expected
  local function expect_this_line()
    expected = "in fiber #%d+, spawned at [^\n]*test_t_loop%.lua:" .. debug.getinfo(2, "l").currentline
  end
  local function check()
    local ok, e = pcall(l.run, l)
    t.eq(ok, false)
    t.match(e, "^failure\n" .. expected .. "\nstack traceback:\n")
    t.match(e, "test_t_loop%.lua:%d+: in")
    t.eq(e:find("[^_]Loop%.lua"), nil, e)
    t.eq(e:find("tasks.lua", 1, true), nil, e)
    t.eq(e:find("nodes.lua", 1, true), nil, e)
    t.eq(e:find("raised again", 1, true), nil, e)
  end
  expect_this_line() l:addTask(1, function() fails() end)
  check()
  local s = assert(Socket "udp")
  expect_this_line() l:addHandle(s, "w", function() fails() end)
  check()
  l:addHandle(s, "w", function()
    expect_this_line() l:addHandle(s, "w", function() fails() end)
  end)
  check()
  l:clean()
  s:close()
end)

-- Under `weft run` the command itself refuses the backend.
t.outside("misuse found by weft is raised at the line that uses t.Loop", function()
  local r = t.program([[
local l = require "t.Loop" ()
l:addTask(1, print)
print(pcall(function() l:run() end))
]], { env = "WEFT_BACKEND=quantum" })
  t.match(r.out, "^false\t[^\n]*:3: [^\n]*quantum")
end)

both("an error of a handle's function too; it stays observed", function()
  local l = Loop()
  local reader, writer = pipe()
  writer:write "x"
  l:addHandle(reader, "r", function() error "no luck" end)
  t.raises("no luck", l.run, l)
  t.eq(#l, 1)
  t.raises("no luck", l.run, l)
  l:removeHandle(reader, "r")
  l:run()
  reader:close()
  writer:close()
end)

-- ---------------------------------------------------------------- handles

both("a handle is called when it is readable, for as long as it is", function()
  local l = Loop()
  local reader, writer = pipe()
  reader:setvbuf "no"
  local list, note = noter()
  t.eq(type(l:addHandle(reader, "r", function(f, a)
    t.eq(a, "argument")
    note(f:read(1))
    if #list == 3 then l:removeHandle(f, "r") end
  end, reader, "argument")), "userdata")
  l:addTask(5, function() writer:write "ab" end)
  l:addTask(10, function() writer:write "c" end)
  l:run()
  t.eq(joined(list), "a b c")
  reader:close()
  writer:close()
end)

both("a Lua file is readable while stdio has read ahead", function()
  local l = Loop()
  local reader, writer = pipe()
  writer:write "one\ntwo\nthree\n"
  local list, note = noter()
  l:addHandle(reader, "r", function()
    note(reader:read "*l")
    if #list == 3 then l:removeHandle(reader, "r") end
  end)
  l:run()
  t.eq(joined(list), "one two three")
  reader:close()
  writer:close()
end)

both("observed by its number, and then as a file", function()
  local l = Loop()
  local reader, writer = pipe()
  writer:write "one\ntwo\n"
  t.eq(reader:read "*l", "one")
  local list, note = noter()
  l:addHandle(assert(weft.pollable(reader)):getfd(), "r", note, "never: the pipe is empty")
  l:addTask(5, function()
    l:addHandle(reader, "r", function()
      note(reader:read "*l")
      l:removeHandle(reader, "r")
    end)
  end)
  l:run()
  t.eq(joined(list), "two")
  reader:close()
  writer:close()
end)

both("a hang-up wakes the reader, and starves nobody", function()
  local l = Loop()
  local reader, writer = pipe()
  local list, note = noter()
  l:addHandle(reader, "r", function()
    if list[1] ~= "end" then note(reader:read(1) == nil and "end" or "data") end
  end)
  l:addTask(5, function() writer:close() end)
  l:addTask(20, function()
    if list[1] ~= "end" then return 2 end
    note "timer"
    l:stop()
  end)
  l:run()
  t.eq(joined(list), "end timer")
  l:clean()
  reader:close()
end)

both("a descriptor that is always ready does not starve tasks", function()
  local l = Loop()
  local f, other = assert(io.open "/dev/zero"), assert(io.open "/etc/passwd")
  local n, m = 0, 0
  l:addHandle(f, "r", function()
    f:read(1)
    n = n + 1
  end)
  l:addHandle(other, "r", function() m = m + 1 end)
  l:addTask(10, function()
    if math.min(n, m) < 20 then return 2 end
    l:stop()
  end)
  l:run()
  t.between(n / m, 0.5, 2, "each has its turn")
  f:close()
  other:close()
end)

both("every name of a direction", function()
  local l = Loop()
  local s = assert(Socket "udp")
  for _, name in ipairs { "r", "rd", "read" } do
    l:addHandle(s, name, nothing)
    t.truthy(l:removeHandle(s, name))
    t.eq(#l, 0, name)
  end
  for _, name in ipairs { "w", "wr", "write" } do
    l:addHandle(s, name, nothing)
    t.truthy(l:removeHandle(s, name))
    t.eq(#l, 0, name)
  end
  for _, name in ipairs { "rw", "rdwr", "readwrite" } do
    l:addHandle(s, "r", nothing)
    l:addHandle(s, "w", nothing)
    t.eq(#l, 1)
    t.truthy(l:removeHandle(s, name))
    t.eq(#l, 0, name)
  end
  t.misuse("unknown direction 'x'", function() l:addHandle(s, "x", nothing) end)
  t.misuse("unknown direction 'x'", function() l:removeHandle(s, "x") end)
  s:close()
end)

both("addHandle replaces the function of one direction and keeps the other", function()
  local l = Loop()
  local a = assert(Socket "udp")
  local to = a:bind("127.0.0.1", 0)
  local list, note = noter()
  local function once(name, dir)
    return function()
      note(name)
      l:removeHandle(a, dir)
    end
  end
  local node = l:addHandle(a, "w", once("old", "w"))
  t.eq(l:addHandle(a, "w", once("new", "w")), node)
  t.eq(l:addHandle(a, "r", once("read", "r")), node)
  t.eq(#l, 1)
  l:addTask(10, function()
    local b = assert(Socket "udp")
    b:send("x", to)
    b:close()
  end)
  l:run()
  t.eq(joined(list), "new read")
  a:close()
end)

both("both directions of one descriptor are served", function()
  local l = Loop()
  local server, address = Socket.listen("127.0.0.1", 0)
  local client = assert(Socket.connect(address))
  local peer = server:accept()
  peer:send "x"
  local reads, writes = 0, 0
  l:addHandle(client, "r", function() reads = reads + 1 end)
  l:addHandle(client, "w", function() writes = writes + 1 end)
  l:addTask(10, function()
    if math.min(reads, writes) == 0 then return 2 end
    l:stop()
  end)
  l:run()
  for _, s in ipairs { server, client, peer } do s:close() end
end)

both("functions that remove, add and replace themselves and others", function()
  local l = Loop()
  local list, note = noter()
  local reader, writer = pipe()
  reader:setvbuf "no"
  writer:write "abc"
  local function third()
    note("third " .. reader:read(1))
    l:removeHandle(reader, "rw")
  end
  local function second()
    note("second " .. reader:read(1))
    l:removeHandle(reader, "r")
    l:addTask(1, function() l:addHandle(reader, "r", third) end)
  end
  l:addHandle(reader, "r", function()
    note("first " .. reader:read(1))
    l:removeHandle(reader, "r")
    l:addHandle(reader, "r", second)
  end)
  l:run()
  t.eq(joined(list), "first a second b third c")
  reader:close()
  writer:close()
end)

both("a handle whose function waits is not called again meanwhile", function()
  local l = Loop()
  local reader, writer = pipe()
  writer:write "x"
  local calls = 0
  l:addHandle(reader, "r", function()
    calls = calls + 1
    weft.sleep(0.01)
    l:removeHandle(reader, "r")
  end)
  l:run()
  t.eq(calls, 1)
  reader:close()
  writer:close()
end)

both("removing a handle while nothing comes ends the run", function()
  local l = Loop()
  local reader, writer = pipe()
  l:addHandle(reader, "r", nothing)
  l:addTask(5, function() t.truthy(l:removeHandle(reader, "read")) end)
  l:run()
  reader:close()
  writer:close()
end)

both("descriptor 0 and other numbers", function()
  local l = Loop()
  local node = l:addHandle(0, "r", nothing)
  t.eq(l[0], node)
  t.eq(#l, 1)
  t.eq(l:removeHandle(0, "r"), node)
  local reader, writer = pipe()
  local fd = assert(weft.pollable(reader)):getfd()
  node = l:addHandle(reader, "r", nothing)
  t.eq(l:addHandle(fd, "r", function() l:removeHandle(fd, "r") end), node, "one node a descriptor")
  t.eq(#l, 1)
  writer:write "x"
  l:run()
  reader:close()
  writer:close()
end)

both("what removeHandle and loop[handle] give", function()
  local l = Loop()
  local s, other = assert(Socket "udp"), assert(Socket "udp")
  local node = l:addHandle(s, "r", nothing)
  t.eq(l[s], node)
  t.eq(l[other], nil)
  t.eq(l[l:addTask(1, nothing)], nil)
  t.eq(l[1.5], nil)
  t.eq(l.nothing, nil)
  t.eq(type(l.addHandle), "function")
  t.eq(l:removeHandle(s, "w"), node, "the other direction")
  t.eq(#l, 1)
  t.eq(l:removeHandle(s, "r"), node)
  t.eq(l[s], nil)
  local got, message = l:removeHandle(s, "r")
  t.eq(got, nil)
  t.eq(type(message), "string")
  s:close()
  other:close()
end)

both("a handle that is closed while it is observed goes", function()
  local l = Loop()
  local list, note = noter()
  local s = assert(Socket "udp")
  s:bind("127.0.0.1", 0)
  l:addHandle(s, "r", note, "never")
  l:addTask(5, function() s:close() end)
  l:run()
  t.eq(#l, 0)
  t.eq(joined(list), "")
end)

both("the number of a handle that was closed may be another's", function()
  local l = Loop()
  local a = assert(Socket "udp")
  local node = l:addHandle(a, "r", nothing)
  local fd = a.descriptor
  a:close()
  local b = assert(Socket "udp")
  t.eq(b.descriptor, fd)
  local list, note = noter()
  local other = l:addHandle(b, "w", function()
    note "written"
    l:removeHandle(b, "w")
  end)
  t.ne(other, node)
  t.eq(#l, 1)
  l:run()
  t.eq(joined(list), "written")
  b:close()
end)

both("streams, listeners and sockets of weft's", function()
  local l = Loop()
  local list, note = noter()
  local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
  l:addHandle(listener, "r", function()
    local stream = assert(listener:accept())
    l:removeHandle(listener, "r")
    l:addHandle(stream, "r", function()
      local bytes = stream:read_some()
      if bytes then return note(bytes) end
      l:removeHandle(stream, "rw")
      stream:close()
    end)
  end)
  local client = assert(weft.net.socket())
  l:addTask(1, function()
    assert(client:connect(listener:address()))
    l:addHandle(client, "w", function()
      client:send "hello"
      client:close()
    end)
  end)
  l:run()
  t.eq(joined(list), "hello")
  t.eq(#l, 0)
  listener:close()
end)

both("what cannot be observed leaves nothing behind", function()
  local l = Loop()
  local f = assert(io.open "/etc/passwd")
  f:close()
  t.misuse("Error adding descriptor", function() l:addHandle(f, "r", nothing) end)
  t.misuse("Error adding descriptor %[100000%]", function() l:addHandle(100000, "r", nothing) end)
  t.misuse("bad argument #1 to 'addHandle'", function() l:addHandle({}, "r", nothing) end)
  t.misuse("bad argument #1 to 'addHandle'", function() l:addHandle(nil, "r", nothing) end)
  t.misuse("bad argument #1 to 'removeHandle'", function() l:removeHandle() end)
  t.raises_value("its own", l.addHandle, l, { getfd = function() error("its own", 0) end }, "r", nothing)
  t.misuse("bad argument #2 to 'addHandle'", function() l:addHandle(0, 1, nothing) end)
  t.misuse("bad argument #3 to 'addHandle' %(function expected", function() l:addHandle(0, "r") end)
  t.misuse("bad argument #1 to 'addTask'", function() l:addTask("1", nothing) end)
  for _, ms in ipairs { 1.5, math.huge, -math.huge, 0 / 0, 2 ^ 63 } do
    t.misuse("no integer representation", function() l:addTask(ms, nothing) end)
  end
  t.misuse("no integer representation", function() l:addTask(Time(math.huge), nothing) end)
  t.misuse("bad argument #2 to 'addTask' %(function expected", function() l:addTask(1) end)
  t.misuse("bad argument #1 to 'cancelTask'", function() l:cancelTask(1) end)
  t.misuse("bad argument #1 to 'run' %(T.Loop expected", function() l.run() end)
  t.eq(#l, 0)
  l:run()
end)

t.test("a descriptor that is closed behind the loop's back is told", function()
  local l = Loop()
  local s = assert(weft.net.socket())
  l:addHandle(s:getfd(), "r", nothing)
  s:close()
  t.raises("bad file descriptor", l.run, l)
  t.eq(#l, 0)
end)

both("many handles", function()
  local l = Loop()
  local n, total = 0, t.scale(1000, 50)
  local sockets = {}
  local sender = assert(Socket "udp")
  for i = 1, total do
    local s = assert(Socket "udp")
    local to = s:bind("127.0.0.1", 0)
    sockets[i] = s
    l:addHandle(s, "r", function()
      t.eq(s:recv(), tostring(i))
      l:removeHandle(s, "r")
      n = n + 1
    end)
    sender:send(tostring(i), to)
  end
  t.eq(#l, total)
  l:run()
  t.eq(n, total)
  for _, s in ipairs(sockets) do s:close() end
  sender:close()
end)

-- ---------------------------------------------------------------- looking at it

local function values_of(object, i)
  if _VERSION >= "Lua 5.4" then t.eq(debug.getuservalue(object, i), object:getuservalue(i)) end
  return object:getuservalue(i)
end

both("nodes show their functions, arguments and handle", function()
  local l = Loop()
  local s = assert(Socket "udp")
  local node = l:addHandle(s, "r", nothing, "a", 1)
  l:addHandle(s, "w", print, "b")
  t.same(values_of(node, 1), { nothing, "a", 1 })
  t.same(values_of(node, 2), { print, "b" })
  t.eq(values_of(node, 3), s)
  t.eq(node:getuservalue(), values_of(node, 1))
  l:removeHandle(s, "r")
  t.eq(values_of(node, 1), nil)
  t.same(values_of(node, 2), { print, "b" })
  t.eq(node:getuservalue(4), nil)
  t.match(tostring(node), "^t%.Loop%.Node{%d+}: 0x%x+$")
  s:close()
end)

both("tasks show the next one, their function and arguments", function()
  local l = Loop()
  local tasks = {}
  for _, n in ipairs { 5, 7, 1, 4, 2, 9, 3, 8, 6 } do tasks[n] = l:addTask(n * 10, print, n) end
  for n = 1, 9 do
    t.eq(values_of(tasks[n], 1), tasks[n + 1])
    t.same(values_of(tasks[n], 2), { print, n })
  end
  l:cancelTask(tasks[5])
  t.eq(values_of(tasks[4], 1), tasks[6])
  t.eq(values_of(tasks[5], 1), nil)
  l:cancelTask(tasks[1])
  l:cancelTask(tasks[9])
  t.eq(values_of(tasks[8], 1), nil)
  t.match(tostring(tasks[2]), "^t%.Loop%.Task{20ms}: 0x%x+$")
end)

both("a task of the farthest time", function()
  local l = Loop()
  local far = l:addTask(2 ^ 53, nothing)
  t.match(tostring(far), "^t%.Loop%.Task{9007199254740992ms}: 0x%x+$")
  t.match(l:show(), "{9007199254740992ms}")
  l:addTask(1, l.stop, l)
  l:run()
end)

both("show gives the document's listing", function()
  local l = Loop()
  local address = tostring(l):match "0x%x+"
  t.eq(l:show(), ("T.Loop[0]: %s TIMER LIST:\nT.Loop{0} %s HANDLE LIST:"):format(address, address))
  for _, ms in ipairs { 4000, 1000, 3000, 2000 } do l:addTask(ms, nothing, ms) end
  l:addTask(3500, nothing, 3500, "foo", "bar")
  local a, b = assert(Socket "udp"), assert(Socket "udp")
  l:addHandle(a, "r", nothing, "a string", "a", "b", "c")
  l:addHandle(b, "r", nothing, b)
  l:addHandle(b, "w", nothing, b, "Message to be sent")
  t.eq(l:show(), ([[
T.Loop[1000]: ADDRESS TIMER LIST:
  1  { 1000ms}  function 1000
  2  { 2000ms}  function 2000
  3  { 3000ms}  function 3000
  4  { 3500ms}  function 3500 `foo` `bar`
  5  { 4000ms}  function 4000
T.Loop{3} ADDRESS HANDLE LIST:
%3d  [R]  function `a string` `a` `b` `c`
%3d  [W]  function T.Net.Socket `Message to be sent`
%3d  [R]  function T.Net.Socket]]):format(a.descriptor, b.descriptor, b.descriptor):gsub("ADDRESS", address))
  t.eq(#l, 2)
  t.eq(tostring(l), "t.Loop{2}: " .. address)
  a:close()
  b:close()
end)

both("show in a run: what is left", function()
  local l = Loop()
  l:addTask(5, function()
    l:addTask(3600000, nothing)
    local first, left = l:show():match "^T%.Loop%[(%d+)%].-{(%d+)ms}"
    t.eq(first, left)
    t.between(tonumber(left), 3500000, 3600000)
    l:clean()
  end)
  l:run()
end)

both("time and sleep, of the class and of a loop", function()
  local l = Loop()
  for _, f in ipairs { function() return Loop.time() end, function() return Loop:time() end,
    function() return l:time() end } do
    local before = os.time()
    t.between(f(), (before - 1) * 1000, (os.time() + 2) * 1000)
    t.eq(f() % 1, 0)
  end
  if math.type then t.eq(math.type(l:time()), "integer") end
  for _, f in ipairs { function() return Loop.sleep(2) end, function() return Loop:sleep(2) end,
    function() return l:sleep(2) end, function() return l:sleep(Time(2)) end } do
    local took, r = t.timed(f)
    t.eq(r, nil)
    t.truthy(took >= 0.002)
  end
  t.misuse("bad argument #1 to 'sleep'", function() l:sleep() end)
end)

both("with the collector working all the time", function()
  t.gc_stress(function()
    local l = Loop()
    local a, b = assert(Socket "udp"), assert(Socket "udp")
    local to = b:bind("127.0.0.1", 0)
    local sent, got, ticks = 0, 0, 0
    l:addHandle(a, "w", function()
      a:send("x", to)
      sent = sent + 1
      if sent == 20 then l:removeHandle(a, "w") end
    end)
    l:addHandle(assert(weft.pollable(b)):getfd(), "r", function()
      t.eq(b:recv(), "x")
      got = got + 1
      if got == 20 then l:removeHandle(b, "r") end
    end)
    l:addTask(1, function()
      ticks = ticks + 1
      l:cancelTask(l:addTask(1000, nothing, {}))
      return ticks < 10 and 2 or nil
    end)
    l:run()
    t.same({ sent, got, ticks }, { 20, 20, 10 })
    a:close()
    b:close()
  end)
end)

t.test("a loop that is dropped is collected", function()
  local seen = setmetatable({}, { __mode = "v" })
  do
    local l = Loop()
    local s = assert(Socket "udp")
    seen[1], seen[2] = l, l:addHandle(s, "r", function() return l end)
    seen[3] = l:addTask(1, function() return l end)
    s:close()
  end
  for _ = 1, 4 do collectgarbage() end
  t.eq(next(seen), nil)
end)
