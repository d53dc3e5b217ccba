-- SPDX-License-Identifier: MIT
--
-- Runs tests/lua/test_*.lua: `lua5.4 tests/lua/run.lua`, or `weft run tests/lua/run.lua`.
--
--   --quick           fewer rounds, and no slow case
--   --list            only name the cases
--   -j N              files at a time (default 2, or WEFT_TEST_JOBS)
--   --timeout S       seconds a file may take (default 300, or WEFT_TEST_TIMEOUT)
--   name ...          only files or cases whose name contains one of these
--
-- WEFT_TEST_SCALE multiplies the big counts (default 1); WEFT_TEST_LUA is the command that
-- the children are run with (default: the one that runs this). Every file has a process of
-- its own under `timeout`, and names each case in a log before it starts, so that a case that
-- hangs or crashes is named, and the file goes on with the next one.

local here = (arg[0] or ""):match("^(.*/)") or "./"
package.path = here .. "?.lua;" .. package.path

local t = require "harness"

local options = {
  jobs = tonumber(os.getenv "WEFT_TEST_JOBS" or "") or 2,
  timeout = tonumber(os.getenv "WEFT_TEST_TIMEOUT" or "") or 300,
  from = 1,
  filters = {},
}

local function usage(message)
  io.stderr:write("run.lua: ", message, "\n")
  os.exit(2)
end

do
  local i = 1
  local function value()
    i = i + 1
    return arg[i] or usage("a value is missing after " .. arg[i - 1])
  end
  while arg[i] do
    local a = arg[i]
    if a == "--quick" then options.quick = true
    elseif a == "--list" then options.list = true
    elseif a == "-j" then options.jobs = tonumber(value()) or usage("-j wants a number")
    elseif a == "--timeout" then options.timeout = tonumber(value()) or usage("--timeout wants a number")
    elseif a == "--child" then options.child = value()
    elseif a == "--log" then options.log = value()
    elseif a == "--from" then options.from = tonumber(value())
    elseif a:sub(1, 1) == "-" then usage("unknown option " .. a)
    else options.filters[#options.filters + 1] = a end
    i = i + 1
  end
end
t.quick = options.quick or false

local function contains_filter(name)
  for _, filter in ipairs(options.filters) do
    if name:find(filter, 1, true) then return true end
  end
  return #options.filters == 0
end

local function base(path) return path:match("([^/]+)%.lua$") or path end

-- ---------------------------------------------------------------- one file, in its own process

if options.child then
  t.file = options.child
  assert(loadfile(options.child))()
  local all = contains_filter(base(options.child))
  local log = assert(io.open(options.log, "a"))
  local function report(kind, name, text)
    log:write(kind, "\t", name, "\t", ((text or ""):gsub("\n", "\1")), "\n")
    log:flush()
  end
  if options.list then
    for _, case in ipairs(t.cases) do
      if all or contains_filter(case.name) then report("name", case.name) end
    end
    report("end", "")
  else
    t.execute(options.from, function(name) return all or contains_filter(name) end, report)
  end
  log:close()
  return
end

-- ---------------------------------------------------------------- all files

local function files()
  local list = {}
  local p = io.popen("ls " .. t.quote(here) .. "test_*.lua 2>/dev/null")
  for line in p:lines() do list[#list + 1] = line end
  p:close()
  return list
end

local function start(path, from)
  local job = { path = path, log = os.tmpname(), out = os.tmpname() }
  local command = string.format("timeout -k 5 %d %s %s --child %s --log %s --from %d", options.timeout,
    t.interpreter(), t.quote(arg[0]), t.quote(path), job.log, from)
  if options.quick then command = command .. " --quick" end
  if options.list then command = command .. " --list" end
  for _, filter in ipairs(options.filters) do command = command .. " " .. t.quote(filter) end
  job.pipe = io.popen(string.format("%s > %s 2>&1 < /dev/null; echo $?", command, job.out))
  return job
end

local count = { ok = 0, fail = 0, skip = 0 }

local function failure(path, name, text)
  count.fail = count.fail + 1
  io.write("FAIL ", base(path), ": ", name, "\n  ", (text:gsub("\1", "\n"):gsub("\n", "\n  ")), "\n")
end

-- Reads a finished job's log. Returns the index to go on from when the process died in a case.
local function finish(job)
  local code = tonumber((job.pipe:read("*a"):match("%d+")))
  job.pipe:close()
  local running, index, ended
  for line in io.lines(job.log) do
    local kind, name, text = line:match("^(.-)\t(.-)\t(.*)$")
    if kind == "run" then
      running, index = name, tonumber(text)
    elseif kind == "end" then
      ended = true
    elseif kind == "again" then
      running, index = nil, tonumber(text)
    elseif kind == "name" then
      print(base(job.path) .. ": " .. name)
    else
      running = nil
      if kind == "fail" then failure(job.path, name, text) else count[kind] = count[kind] + 1 end
      if kind == "skip" and not (options.quick and text == "slow") then
        io.write("skip ", base(job.path), ": ", name, ": ", text, "\n")
      end
    end
  end
  local output = t.slurp(job.out)
  os.remove(job.log)
  os.remove(job.out)
  if ended then
    if code ~= 0 then failure(job.path, "(end of the file)", "exit code " .. tostring(code) .. "\n" .. output)
    elseif output ~= "" then io.write(output) end
    return nil
  end
  if index and not running then return index + 1 end
  local why = code == 124 and "still running after " .. options.timeout .. " s"
    or code == 137 and "still running after " .. options.timeout .. " s, and killed"
    or "the process ended with code " .. tostring(code)
  failure(job.path, running or "(loading the file)", why .. "\n" .. output)
  return running and index + 1
end

local queue, running = {}, {}
for _, path in ipairs(files()) do queue[#queue + 1] = { path = path, from = 1, lives = 5 } end

while #queue > 0 or #running > 0 do
  while #queue > 0 and #running < options.jobs do
    local item = table.remove(queue, 1)
    item.job = start(item.path, item.from)
    running[#running + 1] = item
  end
  local item = table.remove(running, 1)
  local go_on = finish(item.job)
  if go_on and item.lives > 0 then
    item.from, item.lives = go_on, item.lives - 1
    table.insert(queue, 1, item)
  elseif go_on then
    failure(item.path, "(the rest of the file)", "too many cases hung or crashed")
  end
end

if not options.list then
  print(string.format("%d passed, %d failed, %d skipped", count.ok, count.fail, count.skip))
end
if count.fail > 0 then os.exit(1) end
