-- SPDX-License-Identifier: MIT
-- Libraries in Go and Rust: with the helper packages (foreign/), and plain ones. Each is built only where its
-- language is; the others are skipped.

local t = require "harness"
local weft = require "weft"

local function path_of(name)
  local path = t.foreign_library(name)
  if not path or t.slurp(path) == "" then t.skip("lib" .. name .. ".so was not built") end
  return path
end

local function load(name, config) return assert(weft.foreign.load(path_of(name), config)) end

-- Go's poller keeps an epoll and an eventfd, once for each library.
local KEEPS = { descriptors = true }

local function ask_all(rt, n)
  local right = 0
  weft.scope(function(s)
    for i = 1, n do
      s:spawn(function()
        local bytes = tostring(i):rep(i % 50 + 1)
        local ok, res = rt:echo(bytes)
        if ok and res == bytes then right = right + 1 end
      end)
    end
  end)
  return right
end

-- What the echoes of both helper packages do alike.
local function echo_cases(language, name, configs)
  for _, config in ipairs(configs) do
    t.test(language .. ": echo, errors and parts, configuration " .. config, KEEPS, function()
      local rt = load(name, config)
      t.returns(t.pack(true, "hello"), rt:echo("hello"))
      local long = ("0123456789"):rep(10000)
      t.returns(t.pack(true, long), rt:echo(long))
      t.returns(t.pack(true, ""), rt:echo(""))
      t.returns(t.pack(false, 42, "it failed"), rt:fail())
      local ok, status, text = rt:panic("as asked")
      t.eq(ok, false)
      t.eq(status, 1)
      t.match(text, "^panic: ")
      t.returns(t.pack(true, "part 1part 2part 3"), rt:list())
      t.eq(rt:list_parts():read(), "part 1")
      rt:unload()
    end)

    t.test(language .. ": a thousand fibers, unloaded while busy, configuration " .. config, KEEPS, function()
      local rt = load(name, config)
      t.eq(ask_all(rt, 1000), 1000)
      local right = 0
      weft.scope(function(s)
        for i = 1, 200 do
          s:spawn(function() if rt:echo(tostring(i)) then right = right + 1 end end)
        end
        s:spawn(function() rt:unload() end)
      end)
      t.eq(right, 200)
      t.returns(t.pack(false, "unloaded"), rt:echo("x"))
    end)
  end

  t.test(language .. ": two configurations at once, and one that is refused", function()
    local one, two = load(name, configs[1]), load(name, configs[2])
    t.ne(one, two)
    t.returns(t.pack(true, "1"), one:echo("1"))
    t.returns(t.pack(true, "2"), two:echo("2"))
    one:unload()
    t.returns(t.pack(true, "2"), two:echo("2"))
    two:unload()
    t.fails("init failed", weft.foreign.load(path_of(name), "no number"))
  end)

  t.test(language .. ": a slow call that is timed out ends there too", KEEPS, function()
    local rt = load(name, configs[2])
    t.eventually(function()               -- a library that is slow to take a call never sees it
      t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(rt:slow_op("3600000"), 0.02):perform())
      local ok, seen = rt:cancelled()
      t.eq(ok, true)
      return seen ~= "0"
    end)
    rt:unload()
  end)
end

t.test("Rust: with several threads nobody waits behind a slow call", function()
  local rt = load("rust_echo", "serve")
  weft.scope(function(s)
    s:daemon(function() rt:slow("3600000") end)
    weft.yield()
    t.returns(t.pack(true, "behind it"), rt:echo("behind it"))
  end)
  rt:unload()
end)

echo_cases("Go", "go_echo", { "1", "each" })
echo_cases("Rust", "rust_echo", { "1", "4" })

for language, name in pairs { Go = "go_failures", Rust = "rust_failures" } do
  t.test(language .. ": a failure is one, whatever its status, also of init", KEEPS, function()
    local rt = load(name)
    t.returns(t.pack(false, 1, "not found"), rt:zero())
    t.returns(t.pack(true, "false"), rt:sent())
    t.returns(t.pack(true, "true"), rt:sent(""))
    if name == "go_failures" then
      t.returns(t.pack(false, 7, "wrapped: seven"), rt:wrapped())
      t.returns(t.pack(false, 1, "too wide"), rt:wide())
    end
    rt:unload()
    for config, expected in pairs {
      zero = { 1, "not found$" }, status = { 9, "nine$" }, panic = { 1, "panic: as asked$" },
    } do
      local failed, message, code, status = weft.foreign.load(path_of(name), config)
      t.eq(failed, nil)
      t.match(message, expected[2])
      t.eq(code, "init failed")
      t.eq(status, expected[1])
    end
  end)
end

for language, name in pairs { Go = "go_plain", Rust = "rust_plain" } do
  t.test(language .. ": a plain library loads as it is", KEEPS, function()
    local rt = load(name)
    t.returns(t.pack(true, "hello"), rt:echo("hello"))
    t.eq(ask_all(rt, 100), 100)
    if name == "go_plain" then t.returns(t.pack(false, 7, "no request"), rt:echo()) end
    rt:unload()
    t.eq(select(4, weft.foreign.load(path_of(name), "bad")), 3)
  end)
end

for language, name in pairs { C = "upper", Go = "go_upper", Rust = "rust_upper" } do
  t.test(language .. ": the library of the guide", KEEPS, function()
    local rt = load(name)
    t.returns(t.pack(true, "HELLO"), rt:upper("hello"))
    rt:unload()
  end)
end

-- The signals whose handlers were set while a runtime was loaded and answered, and "end".
local function signals_taken_by(name)
  local out = t.program(([[
    local weft = require "weft"
    local function caught()
      local digits, set = io.open("/proc/self/status"):read("*a"):match "SigCgt:%%s*(%%x+)", {}
      for i = 1, 31 do -- glibc takes 32 and 33 for its threads
        local digit = tonumber(digits:sub(-((i - 1) / 4 - (i - 1) / 4 %% 1) - 1):sub(1, 1), 16)
        local shifted = digit / 2 ^ ((i - 1) %% 4)
        set[i] = (shifted - shifted %% 1) %% 2 == 1
      end
      return set
    end
    weft.run(function()
      local before = caught()
      local ok, answer = assert(weft.foreign.load(%q, "1")):echo("x")
      assert(ok and answer == "x")
      for i, is in ipairs(caught()) do
        if is and not before[i] then io.write(i, " ") end
      end
      io.write "end"
    end)]]):format(path_of(name)))
  t.eq(out.err, "")
  return out.out
end

t.test("signals: Go takes BUS, FPE, SEGV, PIPE and URG alone", KEEPS, function()
  local allowed = { ["7"] = true, ["8"] = true, ["11"] = true, ["13"] = true, ["23"] = true, ["end"] = true }
  for signal in signals_taken_by("go_echo"):gmatch "%S+" do t.truthy(allowed[signal], "signal " .. signal) end
end)
t.test("signals: Rust takes none", function() t.eq(signals_taken_by "rust_echo", "end") end)

-- ---------------------------------------------------------------- real ones

-- A server that answers `requests` requests, each on a connection of its own, after `delay` seconds.
local function serve(s, requests, delay)
  local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
  s:spawn(function()
    for _ = 1, requests do
      local stream = assert(listener:accept())
      s:spawn(function()
        local head = ""
        while not head:find "\r\n\r\n" do
          local bytes = stream:read_some()
          if not bytes then return stream:close() end
          head = head .. bytes
        end
        local path = head:match "^GET (%S+)"
        weft.sleep(delay)
        local status = path == "/missing" and "404 Not Found" or "200 OK"
        stream:write(("HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"):format(status, #path, path))
        stream:close()
      end)
    end
    listener:close()
  end)
  local host, port = listener:address()
  return ("http://%s:%d"):format(host, port)
end

t.test("Go: its HTTP client, many at once", KEEPS, function()
  local rt = load "go_http"
  weft.scope(function(s)
    local url, right = serve(s, 21, 0.01), 0
    weft.scope(function(inner)
      for i = 1, 20 do
        inner:spawn(function()
          local ok, body = rt:get(url .. "/" .. i)
          if ok and body == "/" .. i then right = right + 1 end
        end)
      end
    end)
    t.eq(right, 20)
    t.returns(t.pack(false, 404, "404 Not Found"), rt:get(url .. "/missing"))
  end)
  local ok, status, text = rt:get("http://127.0.0.1:1/")
  t.eq(ok, false)
  t.eq(status, 1)
  t.contains(text, "refused")
  rt:unload()
end)

t.test("Go: a caller that leaves ends the HTTP request", KEEPS, function()
  local rt = load "go_http"
  weft.scope(function(s)
    local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
    local host, port = listener:address()
    local asked = s:spawn(function() rt:get(("http://%s:%d/"):format(host, port)) end)
    local stream = assert(listener:accept())
    assert(stream:read_some())  -- from here on it is the request's: Go keeps one that comes too late, for the next
    asked:cancel()
    repeat local bytes = stream:read_some() until not bytes
    stream:close()
    listener:close()
  end)
  rt:unload()
end)

t.test("Go: a pool of goroutines", KEEPS, function()
  local rt = load "go_http"
  local right = 0
  weft.scope(function(s)
    for _ = 1, 100 do
      s:spawn(function()
        local _, sum = rt:digest("abc")
        if sum == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" then right = right + 1 end
      end)
    end
  end)
  t.eq(right, 100)
  rt:unload()
end)

t.test("Rust: the regex crate", function()
  local rt = load "rust_regex"
  t.returns(t.pack(true, "2024-01-31\n1999-12-24"),
    rt:find_all("\\b\\d{4}-\\d{2}-\\d{2}\\b\non 2024-01-31 and 1999-12-24, not 99-1-1"))
  t.returns(t.pack(true, ""), rt:find_all("x+\nnothing"))
  local ok, status, text = rt:find_all("(\nx")
  t.eq(ok, false)
  t.eq(status, 1)
  t.contains(text, "unclosed group")
  t.returns(t.pack(false, 1, "no line with a pattern"), rt:find_all("x"))
  rt:unload()
end)
