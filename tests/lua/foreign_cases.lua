-- SPDX-License-Identifier: MIT
-- What a runtime has to do in every language. Each test_foreign_<language>.lua registers these with a
-- loader of its fixture: load(config, opts) -> runtime, or nil, message, code. `has(name)` says whether
-- the fixture has what only some languages can do.

local t = require "harness"
local weft = require "weft"

-- Requests and answers of a burst, and what the languages' side of a loader keeps in Lua's memory.
local BIG = { memory = 2048 }

return function(load)
  local function with_runtime(config, opts, f)
    local rt = assert(load(config, opts))
    f(rt)
    rt:unload()
  end

  t.test("echo", BIG, function()
    with_runtime("echo", nil, function(rt)
      t.returns(t.pack(true, "hello"), rt:echo("hello"))
      t.returns(t.pack(true, "a\0b"), rt:echo("a\0b"))
      t.returns(t.pack(true, ""), rt:echo(""))
      local big = ("x"):rep(300000)
      local ok, got = rt:echo(big)
      t.truthy(ok)
      t.truthy(got == big, "300,000 bytes")
    end)
  end)

  t.test("a request or an answer may be missing", function()
    with_runtime("nothing", nil, function(rt)
      t.returns(t.pack(true, nil), rt:nothing("x"))
      t.returns(t.pack(true, "none"), rt:length())
      t.returns(t.pack(true, "0"), rt:length(""))
    end)
  end)

  for _, method in ipairs { "echo", "later" } do
    t.test(("1,000 requests from 1,000 fibers (%s)"):format(method), BIG, function()
      with_runtime("many " .. method, nil, function(rt)
        local answered = 0
        weft.scope(function(s)
          for i = 1, 1000 do
            s:spawn(function()
              local ok, got = rt[method](rt, "request " .. i)
              t.truthy(ok, got)
              t.eq(got, "request " .. i)
              answered = answered + 1
            end)
          end
        end)
        t.eq(answered, 1000)
      end)
    end)
  end

  t.test("an error has the message and the trace", function()
    with_runtime("errors", nil, function(rt)
      for _, name in ipairs { "fail", "later_fail" } do
        t.match(t.exception("deliberate failure", rt[name](rt, "x")), "[Ff]ixture", name)
      end
    end)
  end)

  t.test("an answer of the wrong type is an error", function()
    with_runtime("wrong", nil, function(rt)
      t.exception("weft takes", rt:wrong("x"))
    end)
  end)

  t.test("a function that is not there is an error", function()
    with_runtime("missing", nil, function(rt)
      for _, name in ipairs { "no_such_function", "_private" } do
        t.exception(name, rt[name](rt, "x"))
      end
    end)
  end)

  local function cancelled_case(name, function_name)
    t.test(name, function()
      with_runtime(name, nil, function(rt)
        local call = rt[function_name .. "_op"](rt, "x")
        local function seen() return tonumber(select(2, rt:cancellations_seen())) end
        local tries = 0
        repeat                            -- a library that is slow to take a call never sees it
          tries = tries + 1
          t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(call, 0.05):perform())
          for _ = 1, 100 do
            if seen() > 0 then break end
            weft.sleep(0.02)
          end
        until seen() > 0
        t.between(seen(), 1, tries, "the library has seen that its caller left")
        t.returns(t.pack(true, "still there"), rt:echo("still there"))
      end)
    end)
  end
  cancelled_case("a slow call is cancelled by a timeout", "slow")
  cancelled_case("a slow asynchronous call is cancelled by a timeout", "slow_later")

  t.test("the timeout of the runtime", function()
    with_runtime("timed", { timeout = 0.05 }, function(rt)
      t.returns(t.pack(false, "timeout"), rt:slow_later("x"))
    end)
    with_runtime("timed for long", { timeout = 3600 }, function(rt)
      local ok, left = rt:time_left("x")
      t.truthy(ok, left)
      t.between(tonumber(left), 1, 3600)
    end)
    with_runtime("untimed", nil, function(rt) t.returns(t.pack(true, "none"), rt:time_left("x")) end)
  end)

  t.test("an answer in parts", BIG, function()
    with_runtime("parts", nil, function(rt)
      for _, name in ipairs { "abc", "later_abc" } do
        t.returns(t.pack(true, "abc"), rt[name](rt, "x"))
        local parts, seen = rt[name .. "_parts"](rt, "x"), {}
        local part = parts:read()
        while part do
          seen[#seen + 1] = part
          part = parts:read()
        end
        t.eq(table.concat(seen, " "), "a b c", name)
      end
      t.returns(t.pack(true, ("0123456789"):rep(100)), rt:digits("1000"))
    end)
  end)

  t.test("a stream waits for its reader, and ends with it", function()
    with_runtime("endless", nil, function(rt)
      local parts = rt:endless_parts("x")
      for i = 1, 500 do t.eq(parts:read(), tostring(i)) end
      local function made() return tonumber(select(2, rt:endless_made())) end
      local before
      repeat
        before = made()
        weft.sleep(0.1)
      until made() == before
      t.truthy(before >= 500, before)
      parts:close()
      t.returns(t.pack(true, "still there"), rt:echo("still there"))
    end)
  end)

  t.test("an error after some parts", function()
    with_runtime("failing", nil, function(rt)
      local parts = rt:failing_abc_parts("x")
      t.eq(parts:read(), "a")
      local part, message = parts:read()
      t.eq(part, nil)
      t.contains(message, "deliberate failure")
      parts:close()
    end)
  end)

  t.test("unloading while busy answers what was asked", function()
    local rt = assert(load("busy"))
    local answered = 0
    weft.scope(function(s)
      for i = 1, 20 do
        local name = i % 2 == 0 and "later" or "fast_sleep"
        s:spawn(function()
          t.returns(t.pack(true, "x"), rt[name](rt, "x"))
          answered = answered + 1
        end)
      end
      weft.yield()
      rt:unload()
      t.returns(t.pack(false, "unloaded"), rt:echo("x"))
    end)
    t.eq(answered, 20)
  end)

  t.test("the end of a runtime calls its unload", function()
    local path = os.tmpname()
    local rt = assert(load(path))
    t.returns(t.pack(true, path), rt:config())
    rt:unload()
    t.eventually(function() return t.slurp(path) == "unloaded" end)
    os.remove(path)
  end)

  t.test("two configurations are two runtimes, one is one", function()
    local one, two = assert(load("first")), assert(load("second = %41\n"))
    t.returns(t.pack(true, "first"), one:config())
    t.returns(t.pack(true, "second = %41\n"), two:config())
    t.eq(load("first"), one)
    one:unload()
    t.returns(t.pack(true, "second = %41\n"), two:config())
    local again = assert(load("first"))
    t.ne(again, one)
    t.returns(t.pack(true, "first"), again:config())
    again:unload()
    two:unload()
  end)

  t.test("a refused configuration is an error of the load, and not kept", function()
    for _ = 1, 2 do
      local message = t.fails("init failed", load("refuse"))
      t.contains(message, "this configuration is refused")
    end
  end)

  -- Of languages inside this process. program(body) runs body with load(unit, opts) in a process of its own.
  local function in_process(language, unit, program)
    t.test("Ctrl-C is the host's", function()
      if not t.under_weft then t.skip "a stock interpreter has a handler of its own" end
      -- A job in the background ignores it.
      local result = program(([[
        local rt = assert(load(%q, {}))
        os.execute("(sleep 0.3; kill -INT " .. io.open("/proc/self/stat"):read "*n" .. ") &")
        rt:slow "x"
        io.write "not reached"]]):format(unit), { env = "env --default-signal=INT" })
      t.eq(result.out, "")
      t.eq(result.code, 130, result.err)
    end)

    t.test(("a program may end while %s works"):format(language), function()
      local result = program(([[
        local rt = assert(load(%q, { timeout = 0.05 }))
        rt:slow "x"
        rt:slow_later "x"
        io.write "ended"]]):format(unit))
      t.eq(result.out, "ended", result.err)
      t.eq(result.code, 0, result.err)
    end)
  end

  return with_runtime, in_process
end
