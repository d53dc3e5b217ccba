-- SPDX-License-Identifier: MIT
-- weft.foreign: libraries in other languages. The library of most cases is tests/foreign/libraries/various.c,
-- which does what the method's name says.

local t = require "harness"
local weft = require "weft"

local load = weft.foreign.load

local function path_of(name)
  return t.foreign_library(name) or t.skip("lib" .. name .. ".so was not built")
end

-- f(rt) with a runtime of its own, which is unloaded at the end.
local runs = 0
local function with(f, config, opts)
  runs = runs + 1
  local rt = assert(load(path_of "various", (config or "threads=1") .. " run " .. runs, opts))
  f(rt)
  rt:unload()
end

-- f(scope) while the only thread of rt is held up.
local function held_up(rt, f)
  local other = assert(load(path_of "various", "threads=1 opener"))
  weft.scope(function(s)
    s:spawn(function() rt:wait() end)
    t.eventually(function() return select(2, other:holding()) ~= "0" end)
    f(s)
    other:open()
  end)
  other:unload()
end

-- ---------------------------------------------------------------- calls

t.test("a request is answered", function()
  with(function(rt)
    t.returns(t.pack(true, "hello"), rt:echo("hello"))
    t.returns(t.pack(true, ""), rt:echo(""))
    t.returns(t.pack(true, "a\0b"), rt:echo("a\0b"))
    t.returns(t.pack(true, "42"), rt:echo(42))
    local long = ("0123456789"):rep(10000)
    t.returns(t.pack(true, long), rt:echo(long))
    t.returns(t.pack(true, long), rt:back(long))
    t.returns(t.pack(true, "short"), rt:back("short"))
  end)
end)

t.test("no request, no answer, a C string, statuses", function()
  with(function(rt)
    t.returns(t.pack(true, "-1"), rt:length())
    t.returns(t.pack(true, "0"), rt:length(""))
    t.returns(t.pack(true, nil), rt:nothing())
    t.returns(t.pack(false, 3, nil), rt:nothing("3"))
    t.returns(t.pack(false, -1, nil), rt:nothing("-1"))
    t.returns(t.pack(true, "a C string"), rt:text())
    t.returns(t.pack(false, 42, "it failed"), rt:fail("x"))
    if t.has_integers then t.eq(math.type(select(2, rt:fail())), "integer") end
  end)
end)

t.test("any name is a request, and the library learns it", function()
  with(function(rt)
    t.returns(t.pack(false, 1, "some_name"), rt:some_name("x"))
    t.returns(t.pack(false, 1, ""), rt("x"))
    t.eq(rt[1], nil)
    t.misuse("name of a method has a zero byte", function() return rt["echo\0x"] end)
    t.match(tostring(rt), "^weft%.foreign: .*libvarious%.so$")
  end)
end)

t.test("a thousand fibers ask at once", function()
  for _, threads in ipairs { 1, 4 } do
    with(function(rt)
      local sum = 0
      weft.scope(function(s)
        for i = 1, 1000 do
          s:spawn(function()
            local bytes = tostring(i):rep(i % 40 + 1)
            local ok, res = rt:echo(bytes)
            if ok and res == bytes then sum = sum + 1 end
          end)
        end
      end)
      t.eq(sum, 1000)
    end, "threads=" .. threads)
  end
end)

t.test("slow answers come in their own order, and hold up nobody", function()
  with(function(rt)
    local order, slow = {}, 0
    weft.scope(function(s)
      s:spawn(function()
        rt:keep("x")
        order[#order + 1] = "the first"
      end)
      for _, ms in ipairs { 60, 20, 40 } do
        s:spawn(function()
          rt:slow(tostring(ms))
          slow = slow + 1
        end)
      end
      s:daemon(function() rt:slow("3600000") end)
      s:spawn(function()
        rt:echo("x")
        order[#order + 1] = "the last"
        rt:answer_kept()
      end)
    end)
    t.same(order, { "the last", "the first" })
    t.eq(slow, 3)
  end)
end)

t.test("a library that never answers costs only its own callers", function()
  with(function(rt)
    weft.scope(function(s)
      for _ = 1, 10 do s:daemon(function() rt:never() end) end
      weft.yield()
      t.returns(t.pack(true, "x"), rt:echo("x"))
    end)
  end)
end)

t.test("a pending call is no deadlock", function()
  with(function(rt)
    t.returns(t.pack(true, "slow"), rt:slow("30"))
  end)
end)

t.test("a second answer is refused, and a line on stderr says so", function()
  local path = path_of "various"
  local out = t.program(([[
    local weft = require "weft"
    weft.run(function()
      local rt = assert(weft.foreign.load(%q))
      print(rt:twice())
      print(rt:echo("after"))
    end)]]):format(path))
  t.contains(out.out, "true\tfirst")
  t.contains(out.out, "true\tafter")
  t.contains(out.err, "was answered before")
end)

t.test("calls inside a pcall and in a generator", function()
  with(function(rt)
    t.returns(t.pack(true, true, "x"), weft.pcall(rt.echo, rt, "x"))
    local next_one = coroutine.wrap(function() coroutine.yield(select(2, rt:echo("y"))) end)
    t.eq(next_one(), "y")
  end)
end)

t.test("misuse raises", function()
  with(function(rt)
    t.misuse("bad argument #1 to 'echo' %(string or buffer expected, got table%)", function() rt:echo({}) end)
    t.misuse("bad argument #1 to 'echo' %(string or buffer expected, got boolean%)", function() rt:echo_op(true) end)
    t.misuse("bad argument #1 to 'echo' %(string or buffer expected, got function%)",
      function() rt:echo_parts(print) end)
  end)
  t.misuse("bad argument #1 to 'load' %(string expected, got no value%)", function() load() end)
  t.misuse("bad argument #2 to 'load' %(string expected, got table%)", function() load("x", {}) end)
  t.misuse("zero byte", function() load("x", "a\0b") end)
  t.misuse("unknown option 'size' of load", function() load("x", nil, { size = 1 }) end)
  t.misuse("bad option 'max_queue' of load", function() load("x", nil, { max_queue = 0 }) end)
  t.misuse("bad option 'unpin' of load", function() load("x", nil, { unpin = 1 }) end)
end)

t.outside("a call outside a fiber raises", function()
  local rt = assert(load(path_of "various", "threads=1 outside"))
  t.raises("'echo' may wait", function() rt:echo("x") end)
  t.raises("'echo' may wait", function() rt:echo_parts("x") end)
  t.eq(select(2, weft.run(function() return rt:echo("run 1") end)), "run 1")
  t.eq(select(2, weft.run(function() return rt:echo("run 2") end)), "run 2")
  rt:unload()
end)

-- ---------------------------------------------------------------- leaving

local HOUR = "3600000"

local function cancelled_of(rt) return tonumber(select(2, rt:cancelled())) end

local function until_cancelled(rt, before)
  t.eventually(function() return cancelled_of(rt) > before end)
  return cancelled_of(rt) - before
end

-- An operation that is ready when rt, which has one thread, has taken what was asked before this is performed.
local function taken_op(rt)
  return rt:echo_op("x"):wrap(function() return "taken" end)
end

t.test("a call that is cancelled, timed out or lost is seen by the library", function()
  with(function(rt)
    local before = cancelled_of(rt)
    local fiber
    t.pcall(weft.scope, function(s)
      fiber = s:spawn(function() rt:slow(HOUR) end)
      weft.yield()
      t.eq(taken_op(rt):perform(), "taken")
      fiber:cancel()
    end)
    t.eq(fiber:status(), "cancelled")
    t.eq(until_cancelled(rt, before), 1)

    before = cancelled_of(rt)
    local tries, in_time = 0
    repeat                                -- what is not taken in time is taken back
      tries = tries + 1
      local taken = false
      local behind = weft.spawn(function() taken = taken_op(rt):perform() end)
      t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(rt:slow_op(HOUR), 0.02):perform())
      in_time = taken
      behind:join()
    until in_time
    t.between(until_cancelled(rt, before), 1, tries)

    before = cancelled_of(rt)
    local leave = weft.channel()
    weft.spawn(function() leave:put(taken_op(rt):perform()) end)
    t.eq(weft.choose(rt:slow_op(HOUR), leave:get_op()):perform(), "taken")
    t.between(until_cancelled(rt, before), 1, tries)
  end)
end)

t.test("the time-out of the runtime", function()
  with(function(other)
    with(function(rt)
      for _, ask in ipairs { function() return rt:slow(HOUR) end, function() return rt:slow_op(HOUR):perform() end } do
        local before = cancelled_of(other)
        t.eventually(function()
          t.returns(t.pack(false, "timeout"), ask())
          return cancelled_of(other) > before
        end)
      end
    end, nil, { timeout = 0.05 })
    t.returns(t.pack(true, "-1"), other:left())
  end)
  with(function(rt)
    t.returns(t.pack(true, "x"), rt:echo("x"))
    t.returns(t.pack(true, "x"), rt:echo_op("x"):perform())
    t.between(tonumber(select(2, rt:left())), 1, 3600000)
  end, nil, { timeout = 3600 })
end)

t.test("the time-out of the runtime bounds an answer in parts, read or not", function()
  with(function(rt)
    local parts, part, message, code
    t.eventually(function() -- a library that is slow to take a call answers none of it in time
      parts = rt:list_parts("1000000")
      weft.sleep(0.1) -- it stops after some parts, and nobody reads
      part, message, code = parts:read()
      t.truthy(part == "part 1" or code == "timeout", part or message)
      return part
    end)
    repeat part, message, code = parts:read() until not part
    t.returns(t.pack("timeout", "timeout"), message, code)
    t.eq(parts:read(), nil)
    t.eq(tostring(parts), "weft.parts: ended")

    parts = rt:never_parts()
    t.returns(t.pack(nil, "timeout", "timeout"), parts:read())
    t.eq(parts:read(), nil)
    parts = rt:never_parts()
    t.returns(t.pack(nil, "timeout", "timeout"), parts:read_op():perform())
    if t.yields_in_iterator then
      t.raises("timeout", function() for _ in rt:never_parts():iter() do t.fail() end end)
    end
    rt:never_parts():close()
    local _ = rt:never_parts()
    weft.sleep(0.1)
  end, nil, { timeout = 0.05 })
  -- The thread that waited for its reader is free again.
  with(function(rt)
    local parts = rt:list_parts("1000000")
    while rt:echo("x") ~= true do weft.sleep(0.01) end
    t.eq(parts:close(), true)
  end, nil, { timeout = 0.3 })
  -- What has been answered in time is read at leisure.
  with(function(rt)
    local parts
    t.eventually(function() -- its one thread answers the second call when it has answered the first
      local start = weft.now()
      parts = rt:list_parts("2")
      return rt:echo("x") == true and weft.now() < start + 0.5
    end)
    weft.sleep(0.6)
    t.eq(parts:read() .. parts:read() .. parts:read(), "part 1part 2end")
  end, nil, { timeout = 0.5 })
end)

t.test("the library is told the nearer of the scope's deadline and the runtime's", function()
  local function left(rt) return tonumber(select(2, rt:left())) end
  with(function(rt)
    weft.scope({ timeout = 10000 }, function()
      t.between(left(rt), 1, 10000000)
      t.between(tonumber(select(2, rt:left_op():perform())), 1, 10000000)
      weft.scope({ timeout = 100000 }, function() t.between(left(rt), 1, 10000000) end)
      weft.shield(function() t.eq(left(rt), -1) end)
    end)
    t.eq(left(rt), -1)
    local ok, e = t.pcall(weft.scope, { timeout = 0.02 }, function() rt:slow("100000") end)
    t.eq(ok, false)
    t.truthy(weft.is_timeout(e))
  end)
  with(function(rt)
    weft.scope({ timeout = 100000 }, function() t.between(left(rt), 1, 10000000) end)
    weft.scope({ timeout = 1000 }, function() t.between(left(rt), 1, 1000000) end)
  end, nil, { timeout = 10000 })
end)

t.test("an answer after the caller has left is freed", function()
  with(function(rt)
    local leave = weft.channel()
    weft.spawn(function() leave:put(taken_op(rt):perform()) end)
    t.eq(weft.choose(rt:keep_op("x"), leave:get_op()):perform(), "taken")
    t.returns(t.pack(true, "0"), rt:answer_kept())
    t.returns(t.pack(true, "x"), rt:echo("x"))
  end)
end)

t.test("a request that nobody has taken is taken back", function()
  with(function(rt)
    held_up(rt, function()
      for _ = 1, 100 do
        t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(rt:fail_op(("x"):rep(1e5)), 0):perform())
      end
    end)
    t.returns(t.pack(true, "x"), rt:echo("x"))
  end)
end)

-- ---------------------------------------------------------------- operations

t.test("an operation asks anew at each perform", function()
  with(function(rt)
    local op = rt:echo_op("again")
    for _ = 1, 3 do t.returns(t.pack(true, "again"), op:perform()) end
    t.returns(t.pack(false, 42, "it failed"), rt:fail_op():perform())
    t.returns(t.pack(false), rt:echo_op("x"):try())
    t.eq(rt:echo_op("x"):wrap(function(ok, res) return ok and res .. "!" end):perform(), "x!")
  end)
end)

t.test("a choice between two libraries", function()
  with(function(one)
    with(function(other)
      local name = weft.select { slow = one:slow_op(HOUR), fast = other:echo_op("x") }
      t.eq(name, "fast")
    end)
  end)
end)

t.test("the operation is performed by many fibers at once", function()
  with(function(rt)
    local op, n = rt:echo_op("shared"), 0
    weft.scope(function(s)
      for _ = 1, 100 do
        s:spawn(function() if select(2, op:perform()) == "shared" then n = n + 1 end end)
      end
    end)
    t.eq(n, 100)
  end)
end)

-- ---------------------------------------------------------------- the queue

t.test("a full queue refuses at once", function()
  with(function(rt)
    held_up(rt, function(s)
      local got = {}
      for _ = 1, 5 do
        s:spawn(function()
          local ok, why = rt:echo("x")
          got[ok and "answered" or why] = (got[ok and "answered" or why] or 0) + 1
        end)
      end
      t.settle()
      t.same(got, { ["queue full"] = 2 })
      t.returns(t.pack(false, "queue full"), rt:echo_op("x"):perform())
      t.returns(t.pack(true, false, "queue full"), rt:echo_op("x"):try())
      t.returns(t.pack(false, "queue full"), rt:echo_parts("x"))
    end)
    t.returns(t.pack(true, "x"), rt:echo("x"))
  end, nil, { max_queue = 3 })
end)

t.test("unload drains, then every poller gets its NULL", function()
  local rt = assert(load(path_of "various", "threads=3 unload"))
  local other = assert(load(path_of "various", "threads=1 unload"))
  local function ended() return tonumber(select(2, other:ended())) end
  local before, n = ended(), 0
  weft.scope(function(s)
    for i = 1, 100 do
      s:spawn(function()
        local ok, res = rt:hold("1")
        if ok and res == "slow" then n = n + 1 end
      end)
      if i == 100 then s:spawn(function() t.eq(rt:unload(), true) end) end
    end
  end)
  t.eq(n, 100)
  while ended() < before + 3 do weft.sleep(0.002) end
  t.returns(t.pack(false, "unloaded"), rt:echo("x"))
  t.returns(t.pack(false, "unloaded"), rt:echo_op("x"):perform())
  t.returns(t.pack(false, "unloaded"), rt:echo_parts("x"))
  t.match(tostring(rt), "%(unloaded%)$")
  t.eq(rt:__unload(), true)
  other:unload()
end)

-- ---------------------------------------------------------------- loading

t.test("one runtime for each library and configuration", function()
  local path = path_of "various"
  local a, b = assert(load(path, "threads=1 a")), assert(load(path, "threads=2 b"))
  t.ne(a, b)
  t.eq(load(path, "threads=1 a", { max_queue = 65536 }), a)
  local folder, file = path:match "^(.*)/([^/]*)$"
  t.eq(load(folder .. "/../" .. folder:match "[^/]*$" .. "/./" .. file, "threads=1 a"), a)
  t.misuse("has max_queue = 65536, not max_queue = 1", function() load(path, "threads=1 a", { max_queue = 1 }) end)
  t.misuse("has no timeout, not timeout = 5: unload", function() load(path, "threads=1 a", { timeout = 5 }) end)
  t.returns(t.pack(true, "threads=1 a"), a:config())
  t.returns(t.pack(true, "threads=2 b"), b:config())
  a:unload()
  t.returns(t.pack(true, "x"), b:echo("x"))
  local again = assert(load(path, "threads=1 a"))
  t.ne(again, a)
  t.returns(t.pack(true, "x"), again:echo("x"))
  again:unload()
  b:unload()
end)

t.test("a load that fails says why, and is not kept", function()
  local path = path_of "various"
  local rt, message, code, status = load(path, "fail=7 no such server")
  t.eq(rt, nil)
  t.match(message, "libvarious%.so: no such server$")
  t.eq(code, "init failed")
  t.eq(status, 7)
  local good = assert(load(path, "threads=1 good"))
  local inits = tonumber(select(2, good:inits()))
  t.match(select(2, load(path, "fail=3")), "init returned 3$")
  t.match(select(2, load(path, "fail=3")), "init returned 3$")
  t.eq(tonumber(select(2, good:inits())), inits + 2)
  good:unload()
  t.fails("ENOENT", load("no_such_library"))
  t.fails("ENOENT", load("/no/such/library.so"))
  t.fails("ENOENT", load("libno_such_library.so"))
  t.fails("no init", load(path_of "no_init"))
  local text = os.tmpname()
  t.spit(text, "no library")
  local slash = text:find "/" and text or "./" .. text
  t.fails("ENOEXEC", load(slash))
  os.remove(text)
end)

t.test("a library is found by its path, its file name and its short name", function()
  local path = path_of "various"
  local directory = path:match "^(.*)/"
  local before = package.cpath
  package.cpath = directory .. "/?.so;" .. before
  for _, name in ipairs { path, "libvarious.so", "various" } do
    local rt = assert(load(name, "threads=1 " .. name))
    t.returns(t.pack(true, "x"), rt:echo("x"))
    rt:unload()
  end
  package.cpath = before
  local out = t.program([[
    local weft = require "weft"
    weft.run(function() print(select(2, assert(weft.foreign.load("various")):echo("found"))) end)]],
    { env = "LD_LIBRARY_PATH=" .. t.quote(directory) })
  t.contains(out.out, "found")
end)

t.test("a runtime that is unpinned goes when nobody refers to it", function()
  local path = path_of "various"
  local watcher = assert(load(path, "threads=1 watcher"))
  local function ended() return tonumber(select(2, watcher:ended())) end
  local before = ended()
  local function use()
    local rt = assert(load(path, "threads=1 unpinned", { unpin = true }))
    t.returns(t.pack(true, "x"), rt:echo("x"))
  end
  use()
  t.eventually(function()
    collectgarbage()
    return ended() > before
  end)
  watcher:unload()
end)

t.test("a runtime that somebody else loads without unpin stays", function()
  local path, config = path_of "various", "threads=1 pinned later"
  local before
  local function use()
    local rt = assert(load(path, config, { unpin = true }))
    t.eq(load(path, config), rt)
    before = select(2, rt:inits())
  end
  use()
  collectgarbage()
  collectgarbage()
  local rt = assert(load(path, config))
  t.eq(select(2, rt:inits()), before)
  rt:unload()
end)

-- Of a process in which threads of the library hold the queue's lock most of the time.
t.test("the child of a fork can neither call nor be held up", function()
  if os.getenv "WEFT_TEST_SANITIZED" then t.skip "sanitizers do not follow a fork of several threads" end
  if t.under_weft then t.skip "the child of a fork inside a run ends with an error" end
  local path = path_of "various"
  local out = t.program(([[
    local weft = require "weft"
    local rt = assert(weft.foreign.load(%q, "busy=2"))
    weft.run(function() print(rt:echo("before")) end)
    local who = "parent"
    for _ = 1, 20 do
      local status = select(4, weft.foreign.load(%q, "fork"))
      if status ~= 1 then who = status == 2 and "child" or "child hung: " .. status break end
    end
    weft.run(function() print(who, rt:echo("after")) end)
    rt:unload()]]):format(path, path))
  t.contains(out.out, "true\tbefore")
  t.contains(out.out, "parent\ttrue\tafter")
  t.contains(out.out, "child\tfalse\tunloaded")
  t.eq(out.code, 0)
  t.eq(out.err, "")
end)

t.test("names of methods are bounded", function()
  local out = t.program(([[
    local weft = require "weft"
    local rt = assert(weft.foreign.load(%q))
    weft.run(function()
      local ok, why
      for i = 1, 100 do
        ok, why = pcall(function() return rt[("x"):rep(20000) .. i] end)
        if not ok then break end
      end
      print(ok, why)
      print(rt:echo("still"))
    end)]]):format(path_of "various"))
  t.match(out.out, "^false\t[^\n]*too many names of methods")
  t.contains(out.out, "true\tstill")
end)

t.test("the functions of both older generations are found by name", function()
  for _, name in ipairs { "echo_ffi", "echo_nonblocking" } do
    local path = path_of(name)
    local rt = assert(load(path))
    t.returns(t.pack(true, "hello"), rt:anything("hello"))
    t.returns(t.pack(true, nil), rt:anything())
    t.returns(t.pack(false, 5, "as asked"), rt:anything("fail"))
    local n = 0
    weft.scope(function(s)
      for i = 1, 1000 do
        s:spawn(function() if select(2, rt:echo(tostring(i))) == tostring(i) then n = n + 1 end end)
      end
    end)
    t.eq(n, 1000)
    rt:unload()
    t.eq(select(4, load(path, "bad")), 3)
  end
end)

-- ---------------------------------------------------------------- the older names

t.test("resty_ffi: the shapes of both generations", function()
  local had = rawget(_G, "ngx")
  local ngx = require "resty_ffi"
  for _, name in ipairs { "echo_ffi", "echo_nonblocking" } do
    local path = path_of(name)
    local new = ngx.load_ffi(path, "new")
    t.eq(ngx.load_ffi(path, "new"), new)
    t.returns(t.pack(true, "hello", nil), new:any("hello"))
    t.returns(t.pack(false, 5, "as asked"), new:any("fail"))
    t.returns(t.pack(true, "x", nil), new("x"))
    local old = ngx.load_nonblocking_ffi(path, "old", { is_global = false })
    t.returns(t.pack(true, "hello"), old:any("hello"))
    t.returns(t.pack(true, nil), old:any())
    t.returns(t.pack(false, "as asked"), old:any("fail"))
    t.eq(new.finished, false)
    new:__unload()
    old:__unload()
    t.eq(new.finished, true)
    t.returns(t.pack(false, "task queue is finished", nil), new:any("x"))
    t.returns(t.pack(false, "task queue is finished"), old:any("x"))
  end
  t.misuse("not found", function() ngx.load_ffi("no_such_library") end)
  t.misuse("bad argument #1 to 'load_ffi' %(string expected, got no value%)", function() ngx.load_ffi() end)
  t.misuse("bad argument #2 to 'load_nonblocking_ffi' %(string expected, got table%)",
    function() ngx.load_nonblocking_ffi("x", {}) end)
  t.misuse("unknown option 'size' of load", function() ngx.load_ffi("x", nil, { size = 1 }) end)
  local rt = ngx.load_ffi(path_of "echo_ffi", "misused")
  t.misuse("bad argument #1 to 'echo' %(string or buffer expected, got table%)", function() rt:echo {} end)
  t.returns(t.pack(true, "1", nil), rt:echo(1))
  rt:__unload()
  rawset(_G, "ngx", had)
end)

t.test("resty_ffi: why init has failed", function()
  local out = t.program(([[
    local ngx = require "resty_ffi"
    print(ngx.load_ffi(%q, "fail=7 no such server"))
    print(ngx.load_nonblocking_ffi(%q, "fail=3"))]]):format(path_of "various", path_of "various"))
  t.match(out.out, "^nil\t7\t[^\n]*libvarious%.so: no such server\nnil\t3\t[^\n]*init returned 3\n$")
  t.match(out.err, "resty_ffi: [^\n]*no such server\nresty_ffi: [^\n]*init returned 3\n$")
end)

-- ---------------------------------------------------------------- answers in parts

-- All parts; with iter where a loop's iterator may wait.
local function collect(parts)
  local got = {}
  if t.yields_in_iterator then
    for part in parts:iter() do got[#got + 1] = part end
    return got
  end
  local part = parts:read()
  while part do
    got[#got + 1] = part
    part = parts:read()
  end
  return got
end

t.test("an answer in parts, one by one and together", function()
  with(function(rt)
    t.same(collect(rt:list_parts("3")), { "part 1", "part 2", "part 3", "end" })
    t.returns(t.pack(true, "part 1part 2end"), rt:list("2"))
    t.returns(t.pack(true, "end"), rt:list("0"))
    local parts = rt:list_parts("1")
    t.eq(parts:read(), "part 1")
    t.eq(parts:read(), "end")
    t.eq(parts:read(), nil)
    t.eq(parts:read(), nil)
    t.eq(tostring(parts), "weft.parts: ended")
    local none = rt:nothing_parts()
    t.eq(none:read(), nil)
  end)
end)

t.test("an answer that fails after some parts", function()
  with(function(rt)
    local parts = rt:broken_list_parts("1")
    t.eq(parts:read(), "part 1")
    t.returns(t.pack(nil, "broken", 7), parts:read())
    t.eq(parts:read(), nil)
    if t.yields_in_iterator then t.raises("broken", collect, rt:broken_list_parts("2")) end
    t.returns(t.pack(false, 7, "broken"), rt:broken_list("1"))
  end)
end)

t.test("a long answer waits for its reader, and ends when it is closed", function()
  with(function(rt)
    t.eq(#collect(rt:list_parts("1000")), 1001)
    local before = tonumber(select(2, rt:cancelled()))
    local parts = rt:list_parts("1000000")
    t.eq(parts:read(), "part 1")
    t.eq(parts:close(), true)
    t.eq(parts:close(), true)
    t.eq(parts:read(), nil)
    t.eq(until_cancelled(rt, before), 1)
  end)
end)

t.test("closing wakes who is reading; reading is an operation", function()
  with(function(rt)
    weft.scope(function(s)
      local parts = rt:never_parts()
      t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(parts:read_op(), 0.01):perform())
      s:spawn(function() t.returns(t.pack(nil, "closed", "closed"), parts:read()) end)
      weft.yield()
      parts:close()
    end)
  end)
end)

t.test("closing the parts takes nothing from another arm that has won", function()
  with(function(rt)
    local parts, channel = rt:never_parts(), weft.channel()
    weft.scope(function(s)
      s:spawn(function() t.eq(weft.choose(parts:read_op(), channel:get_op()):perform(), "message") end)
      weft.yield()
      channel:put("message")
      parts:close()
    end)
  end)
end)

-- ---------------------------------------------------------------- for long

t.test("memory is flat", function()
  with(function(rt)
    local function round(n)
      weft.scope(function(s)
        for j = 1, 64 do
          s:spawn(function()
            for i = 1, n do
              local bytes = (i % 7 == 0 and ("y"):rep(1000) or "x") .. j
              if select(2, rt:echo(bytes)) ~= bytes then error "another's answer" end
            end
          end)
        end
      end)
      collectgarbage()
      collectgarbage()
    end
    round(200)
    t.flat(function() round(t.scale(20000, 500)) end, 256, 2048)
  end)
end)

t.test("a state that ends with calls pending", function()
  local path = path_of "various"
  local out = t.program(([[
    local weft = require "weft"
    local rt = assert(weft.foreign.load(%q))
    local ok = weft.pcall(weft.run, function()
      for _ = 1, 10 do weft.daemon(function() rt:slow("30") end) end
      for _ = 1, 10 do weft.daemon(function() rt:slow_op("30"):perform() end) end
      local parts = rt:never_parts()
      weft.daemon(function() parts:read() end)
      weft.yield()
    end)
    print(ok, select(2, weft.run(function() weft.sleep(0.06) return rt:echo("again") end)))
    weft.run(function() weft.daemon(function() rt:slow("10") end) weft.yield() end)]]):format(path))
  t.contains(out.out, "true\tagain")
  t.eq(out.code, 0)
  t.eq(out.err, "")
end)

