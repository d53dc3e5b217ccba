-- SPDX-License-Identifier: MIT
-- Asks a running nginx (nginx.conf beside this file), which has one worker:
--   weft run tests/nginx/test.lua PORT WAY [go] [python=FOLDER] [java=FOLDER] [node=FOLDER]
local weft = require "weft"
local port, way = tonumber(arg[1]), arg[2]
local has = {}
for i = 3, #arg do
  local language, folder = arg[i]:match "^(%a+)=?(.*)$"
  has[language] = folder
end

local passed, failed = 0, 0
local function check(name, ok, ...)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print(("FAIL nginx (%s): %s: %s"):format(way, name, table.concat({ ... }, " ")))
  end
end

local function open(path)
  local stream = assert(weft.net.tcp.connect("127.0.0.1", port))
  assert(stream:write("GET " .. path:gsub(" ", "%%20") .. " HTTP/1.0\r\nHost: test\r\n\r\n"))
  return stream
end
-- The body, and the whole answer.
local function get(path)
  local stream, all = open(path), {}
  for bytes in function() return stream:read_some() end do all[#all + 1] = bytes end
  stream:close()
  all = table.concat(all)
  return (all:match "\r\n\r\n(.-)\n?$"), all
end

local function same(name, path, want)
  local got, all = get(path)
  check(name, got == want, "want", want, "got", tostring(got or all))
end
local function matches(name, path, pattern)
  local got, all = get(path)
  check(name, got and got:find(pattern), "want", pattern, "got", tostring(got or all))
end

local function count()
  local running, cancelled = (get "/ask?count" or ""):match "^true (%d+) (%d+)$"
  return tonumber(running), tonumber(cancelled)
end
-- Waits until the library has seen so many cancelled.
local function await_cancelled(name, want)
  local got
  for _ = 1, 30000 do
    got = select(2, count())
    if got >= want then break end
    weft.sleep(0.01)
  end
  check(name, got == want, "want", want, "cancelled, got", got)
end

weft.run(function()
  same("the way", "/way", way)
  assert(count() == 0, "the library does not answer")

  local annotated = {}
  for line in io.lines "types/nginx.lua" do annotated[#annotated + 1] = line:match "^function nginx%.([%w_]+)" end
  table.sort(annotated)
  same("what is annotated is there", "/functions", table.concat(annotated, " "))

  -- calls
  same("echo", "/ask?echo hello", "true hello")
  same("empty answer", "/ask?echo ", "true ")
  same("no request, no answer", "/nothing", "true nil")
  same("a failure", "/ask?fail 3 broken pipe", "false 3 broken pipe")
  same("a negative status", "/ask?fail -2 no", "false -2 no")
  same("an answer in parts", "/ask?parts a bc d", "true abcd")
  same("a MiB of all bytes", "/big", "true true 1048576")
  same("64 light threads", "/threads", "2080")
  same("the older interfaces", "/seed", "true seed nil\nfalse 3 why\nfalse why\nfalse")

  matches("a buffer, and what is no request", "/buffer",
    "^true in a buffer\nfalse [^\n]*bad argument #1 to 'ask' %(string or buffer expected, got table%)$")

  matches("a fiber", "/fiber", "^false .*inside nginx a foreign call cannot be made by a fiber.*\ntrue after$")

  -- languages
  if has.go then
    same("Go", "/go?hello", "true hello")
    same("a number", "/go?42", "true 42")
  end
  local function language(name, exception)
    if not has[name] then return end
    same(name, "/language?" .. name .. " " .. has[name], "true LANGUAGE\nfalse 1 " .. exception .. ": not this time")
  end
  language("python", "ValueError")

  -- phases
  same("rewrite", "/rewrite", "in rewrite")
  same("access", "/access", "in access")
  same("timer", "/timer", "in a timer")
  matches("init_by_lua and init_worker_by_lua", "/refused",
    "^[^\n]*load it in init_worker_by_lua, or later\n[^\n]*cannot in the phase init_worker$")
  local _, all = get "/filter"
  check("header filter", all:find "cannot in the phase header_filter", all)

  -- 200 at once, on one worker: none is answered before all have come
  local n = 200
  weft.scope(function(s)
    for _ = 1, n do s:spawn(function() same("one of many", "/ask?meet " .. n, "true slept") end) end
  end)

  -- failures of our own
  same("queue full", "/full", "false queue full\ntimeout\ntimeout")
  matches("a failed init", "/broken", "^nil .*this configuration is broken init failed 7$")
  matches("no such library", "/missing", "^nil .*nowhere%-to%-be%-found.*not found")
  same("unload drains", "/unload?" .. way, "true true slept false unloaded\ntrue")
  same("a runtime that is unpinned ends when nobody refers to it", "/unpinned", "true x\n1")

  -- those who leave
  same("a time-out", "/hurry?never", "false timeout")
  await_cancelled("a time-out cancels", 1)
  same("a killed light thread", "/killed", "1")
  await_cancelled("a killed light thread cancels", 2)
  local streams = {}
  for i = 1, 10 do streams[i] = open "/ask?never" end
  repeat weft.sleep(0.01) until count() == 10
  for i = 1, 10 do streams[i]:close() end
  await_cancelled("a client that goes away cancels", 12)
  same("and all is well", "/ask?echo still here", "true still here")
  check("nothing is left running", count() == 0)

  local growth = tonumber((get "/memory"))
  check("memory is flat", growth and growth < 2048, growth, "KiB more after 100,000 calls")

  -- What has threads and a collector of its own comes after that.
  language("java", "IllegalArgumentException")
  language("node", "Error")
end)

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
