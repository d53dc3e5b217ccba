-- SPDX-License-Identifier: MIT
--
-- What a test file uses: registering cases, checking values and errors, running
-- other programs. The runner is run.lua; see there for the options.
--
--   local t = require "harness"
--   t.test("a message passes", function() ... end)      -- the body is a fiber
--   t.outside("run in run", function() ... end)         -- the body is no fiber
--
-- After every case the harness fails it if a fiber, a descriptor, a registry entry
-- or memory was left behind.

local weft = require "weft"

local unpack = table.unpack or unpack

local t = {
  cases = {},
  quick = false,                          -- set by the runner: --quick
  file = nil,                             -- the file whose cases are being registered
}

-- ---------------------------------------------------------------- which Lua is this

t.lua = _VERSION                          -- "Lua 5.1" .. "Lua 5.5"
t.jit = rawget(_G, "jit") ~= nil
t.puc51 = _VERSION == "Lua 5.1" and not t.jit
t.has_close = _VERSION == "Lua 5.4" or _VERSION == "Lua 5.5"
t.has_integers = math.type ~= nil
t.yields_across_pcall = not t.puc51       -- 5.2 and later, LuaJIT
t.yields_in_iterator = not t.puc51        -- for .. in f: a C call boundary in PUC 5.1 alone
t.yields_in_metamethod = not t.puc51

local function in_fiber()
  local ok, fiber = pcall(function() return weft.self() end)
  return ok and fiber ~= nil
end

-- True when the runner itself is a fiber: `weft run tests/lua/run.lua`.
t.under_weft = in_fiber()

function t.scale(n, least)
  local factor = tonumber(os.getenv "WEFT_TEST_SCALE" or "") or 1
  if t.quick then factor = math.min(factor, 0.1) end
  return math.max(math.floor(n * factor), least or 1)
end

-- ---------------------------------------------------------------- registering

local SKIP = {}

local function register(name, opts, f, outside)
  if f == nil then opts, f = {}, opts end
  if type(name) ~= "string" or type(f) ~= "function" then
    error("usage: t.test(name, [opts,] f)", 3)
  end
  t.cases[#t.cases + 1] = { name = name, opts = opts, f = f, outside = outside }
end

-- opts.memory: KiB that the case may leave behind (default 256).
-- opts.descriptors: what it may leave open, for a language whose runtime keeps some.
-- opts.slow: left out with --quick.
function t.test(name, opts, f) register(name, opts, f, false) end

-- The body runs outside any runtime; skipped where the runner itself is a fiber.
function t.outside(name, opts, f) register(name, opts, f, true) end

function t.skip(reason) error({ [SKIP] = tostring(reason) }, 0) end

-- ---------------------------------------------------------------- showing values

local function show(v, depth)
  if type(v) == "string" then return string.format("%q", v) end
  if type(v) == "number" and t.has_integers and math.type(v) == "float" then
    return string.format("%.17g", v) .. "f"
  end
  if type(v) == "table" and (depth or 0) < 3 then
    if getmetatable(v) and getmetatable(v).__tostring then return tostring(v) end
    local parts, n = {}, v.n or #v
    for i = 1, n do parts[i] = show(v[i], (depth or 0) + 1) end
    for k, x in pairs(v) do
      if not (type(k) == "number" and k >= 1 and k <= n) and k ~= "n" then
        parts[#parts + 1] = tostring(k) .. " = " .. show(x, (depth or 0) + 1)
      end
    end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return tostring(v)
end
t.show = show

local function fail(level, message, ...)
  error(string.format(message, ...), level + 1)
end

local function note(message) return message and " (" .. tostring(message) .. ")" or "" end

-- ---------------------------------------------------------------- checks

function t.fail(message) error(message or "failed", 2) end

function t.eq(got, want, message)
  if got ~= want then fail(2, "got %s, want %s%s", show(got), show(want), note(message)) end
  return got
end

function t.ne(got, other, message)
  if got == other then fail(2, "got %s, want something else%s", show(got), note(message)) end
  return got
end

function t.truthy(got, message)
  if not got then fail(2, "got %s, want something true%s", show(got), note(message)) end
  return got
end

function t.falsy(got, message)
  if got then fail(2, "got %s, want nil or false%s", show(got), note(message)) end
end

function t.match(got, pattern, message)
  if type(got) ~= "string" or not got:find(pattern) then
    fail(2, "got %s, want a match of %s%s", show(got), show(pattern), note(message))
  end
  return got
end

-- Plain text, no pattern.
function t.contains(got, text, message)
  if type(got) ~= "string" or not got:find(text, 1, true) then
    fail(2, "got %s, want it to contain %s%s", show(got), show(text), note(message))
  end
  return got
end

-- low <= got <= high
function t.between(got, low, high, message)
  if not (type(got) == "number" and got >= low and got <= high) then
    fail(2, "got %s, want %s to %s%s", show(got), show(low), show(high), note(message))
  end
  return got
end

-- got of n draws that each hit with probability p: within seven standard deviations, so that chance alone fails once in
-- 10^11 times.
function t.share(got, n, p, message)
  local spread = 7 * math.sqrt(n * p * (1 - p))
  return t.between(got, n * p - spread, n * p + spread, message)
end

local function same(a, b)
  if a == b or (a ~= a and b ~= b) then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end

-- Tables by content.
function t.same(got, want, message)
  if not same(got, want) then fail(2, "got %s, want %s%s", show(got), show(want), note(message)) end
  return got
end

function t.pack(...) return { n = select("#", ...), ... } end

-- t.returns(t.pack(1, nil), f()): the number of results counts.
function t.returns(want, ...)
  local got = t.pack(...)
  if not same(got, want) then
    fail(2, "got %d values %s, want %d values %s", got.n, show(got), want.n, show(want))
  end
end

-- pcall in which a fiber may block on every Lua.
function t.pcall(f, ...)
  if in_fiber() and weft.pcall then return weft.pcall(f, ...) end
  return pcall(f, ...)
end

-- f must raise; the message, or tostring of the value, must match. Returns the value.
function t.raises(pattern, f, ...)
  local r = t.pack(t.pcall(f, ...))
  if r[1] then fail(2, "no error, but %d results %s; want an error that matches %s", r.n - 1,
    show({ n = r.n - 1, unpack(r, 2, r.n) }), show(pattern)) end
  if pattern and not tostring(r[2]):find(pattern) then
    fail(2, "raised %s, want a match of %s", show(tostring(r[2])), show(pattern))
  end
  return r[2]
end

-- f must raise exactly this value.
function t.raises_value(value, f, ...)
  local ok, got = t.pcall(f, ...)
  if ok then fail(2, "no error, want %s", show(value)) end
  if got ~= value then fail(2, "raised %s, want %s", show(got), show(value)) end
end

-- A misuse: raised as a string that starts with a line of f itself.
function t.misuse(pattern, f)
  local ok, e = pcall(f)
  if ok then fail(2, "no error, want an error that matches %s", show(pattern)) end
  if type(e) ~= "string" then fail(2, "raised %s, want a string", show(e)) end
  if not e:find(pattern) then fail(2, "raised %s, want a match of %s", show(e), show(pattern)) end
  local info = debug.getinfo(f, "S")
  local file, line = e:match("^(.-):(%d+):")
  line = tonumber(line)
  if not line or not info.short_src:find(file, 1, true)
      or line < info.linedefined or line > info.lastlinedefined then
    fail(2, "raised %s, want the position of the call (line %d to %d)", show(e), info.linedefined,
      info.lastlinedefined)
  end
  return e
end

-- World errors: nil, message, code.
function t.fails(code, ...)
  local v, message, got = ...
  if v ~= nil or type(message) ~= "string" or got ~= code then
    fail(2, "got %s, want nil, message, %s", show(t.pack(...)), show(code))
  end
  return message
end

-- A foreign function's exception: false, 1 and a text that has this in it.
function t.exception(text, ...)
  local ok, rc, err = ...
  if ok ~= false or rc ~= 1 or type(err) ~= "string" or not err:find(text, 1, true) then
    fail(2, "got %s, want false, 1, %s", show(t.pack(...)), show(text))
  end
  return err
end

-- ---------------------------------------------------------------- small tools

-- Seconds that f takes, and its results.
function t.timed(f, ...)
  local start = weft.now()
  local r = t.pack(f(...))
  return weft.now() - start, unpack(r, 1, r.n)
end

-- Lets everything that is runnable run, n times over.
function t.settle(n)
  for _ = 1, n or 5 do weft.yield() end
end

-- Waits in a fiber until f gives something true, which it returns. There is no time limit but the runner's.
function t.eventually(f)
  while true do
    local v = f()
    if v then return v end
    weft.sleep(0.002)
  end
end

-- Calls f with the collector working all the time.
function t.gc_stress(f, ...)
  local pause, mul
  if _VERSION == "Lua 5.5" then
    pause = collectgarbage("param", "pause", 0)
    mul = collectgarbage("param", "stepmul", 10000)
  else
    pause, mul = collectgarbage("setpause", 0), collectgarbage("setstepmul", 10000)
  end
  local r = t.pack(t.pcall(f, ...))
  if _VERSION == "Lua 5.5" then
    collectgarbage("param", "pause", pause)
    collectgarbage("param", "stepmul", mul)
  else
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", mul)
  end
  if not r[1] then error(r[2], 0) end
  return unpack(r, 2, r.n)
end

-- KiB in use by Lua when collecting does not help any more. (A stack, LuaJIT's string buffer and
-- the like shrink by a half at each collection.)
function t.memory()
  collectgarbage()
  collectgarbage()
  local now, last = collectgarbage("count"), math.huge
  for _ = 1, 16 do
    if now > last - 8 then break end
    collectgarbage()
    last, now = now, collectgarbage("count")
  end
  return now
end

-- KiB resident in the process.
function t.resident()
  local f = io.open("/proc/self/statm")
  if not f then return nil end
  local pages = f:read("*a"):match("^%d+ (%d+)")
  f:close()
  return tonumber(pages) * 4
end

-- Runs round() until it leaves no more than lua KiB of Lua memory, and resident KiB in the process where that is given.
-- What leaks is left by every round; tables and pools grow now and then, to what is garbage between two collections.
function t.flat(round, lua, resident)
  -- A sanitizer keeps what is freed for a while, so there resident memory says nothing.
  local watched = resident and not os.getenv "WEFT_TEST_SANITIZED"
  local grown, more
  for _ = 1, 5 do
    local lua_then, resident_then = t.memory(), t.resident()
    round()
    grown, more = t.memory() - lua_then, watched and t.resident() - resident_then or 0
    if grown <= lua and more <= (resident or 0) then return end
  end
  fail(2, "each round left %.0f KiB of Lua memory, and %.0f KiB resident", grown, more)
end

function t.pid()
  local f = io.open("/proc/self/stat")
  if not f then return nil end
  local pid = f:read("*a"):match("^(%d+)")
  f:close()
  return tonumber(pid)
end

-- Whether a process has ended; where nobody asks for its status it stays a zombie.
function t.has_ended(pid)
  local f = io.open("/proc/" .. pid .. "/stat")
  if not f then return true end
  local state = (f:read "*a" or ""):match "^.*%) (%a)"
  f:close()
  return state == nil or state == "Z" or state == "X"
end

function t.quote(s) return "'" .. tostring(s):gsub("'", "'\\''") .. "'" end

-- The command line of this interpreter: "lua5.4", or "weft run".
function t.interpreter()
  local given = os.getenv "WEFT_TEST_LUA"
  if given and given ~= "" then return given end
  local parts, i = {}, -1
  while arg[i] do
    table.insert(parts, 1, t.quote(arg[i]))
    i = i - 1
  end
  return table.concat(parts, " ")
end

-- The path of a file of the build tree; nil where it was not built.
function t.built(name)
  for root in package.cpath:gmatch "([^;]*)/lib/lua/[%d.]+/%?%.so" do
    local path = root .. "/" .. name
    local f = io.open(path, "rb")
    if f then
      f:close()
      return path
    end
  end
end

-- A foreign library of the tests; nil where it was not built.
function t.foreign_library(name) return t.built("lib/foreign/lib" .. name .. ".so") end

local function slurp(path)
  local f = io.open(path, "rb")
  if not f then return "" end
  local s = f:read("*a")
  f:close()
  return s
end
t.slurp = slurp

function t.spit(path, s)
  local f = assert(io.open(path, "wb"))
  f:write(s)
  f:close()
end

-- Runs a shell command; { out, err, code }. It has opts.timeout seconds (120), which only one that hangs takes.
function t.shell(command, opts)
  opts = opts or {}
  local out, err, rc = os.tmpname(), os.tmpname(), os.tmpname()
  os.execute(string.format("{ %s timeout -k 2 %d sh -c %s; } < %s > %s 2> %s; echo $? > %s",
    opts.env or "", opts.timeout or 120, t.quote(command), opts.stdin or "/dev/null", out, err, rc))
  local result = { out = slurp(out), err = slurp(err), code = tonumber((slurp(rc):match("%d+"))) }
  os.remove(out)
  os.remove(err)
  os.remove(rc)
  return result
end

-- Runs source text as a program of its own under this interpreter.
-- opts: env ("A=b C=d"), args, timeout.
function t.program(source, opts)
  opts = opts or {}
  local path = os.tmpname()
  t.spit(path, source)
  local result = t.shell(string.format("exec %s %s %s", t.interpreter(), path, opts.args or ""), opts)
  result.path = path
  os.remove(path)
  return result
end

-- ---------------------------------------------------------------- what a case may leave behind

local function live_fibers()
  local ok, list = pcall(function() return weft.inspect.fibers() end)
  local seen = {}
  if ok and type(list) == "table" then
    for _, fiber in ipairs(list) do seen[fiber.id] = fiber end
  end
  return seen
end

-- /proc/self/fdinfo/N opens exactly when descriptor N is open; no directory listing is needed.
local function descriptors()
  local set, gap, n = {}, 0, 0
  while gap < 64 do
    local f = io.open("/proc/self/fdinfo/" .. n)
    if f then
      f:close()
      set[n], gap = true, 0
    else
      gap = gap + 1
    end
    n = n + 1
  end
  return set
end

-- References of luaL_ref and whatever is not a name; luaL_ref's own free list is not counted.
local function registry_entries()
  local n = 0
  for k, v in pairs(debug.getregistry()) do
    if type(k) ~= "string" and not (type(k) == "number" and type(v) == "number") then n = n + 1 end
  end
  return n
end

local function snapshot()
  local memory = t.memory()
  return { fibers = live_fibers(), fds = descriptors(), registry = registry_entries(), memory = memory }
end

local REGISTRY_TOLERANCE = 4              -- keys made at the first use of something
local MEMORY_TOLERANCE = 256              -- KiB: pools, string table, closures of other cases

local function leftovers(before, after, opts)
  local found = {}
  for id, fiber in pairs(after.fibers) do
    if not before.fibers[id] then
      found[#found + 1] = string.format("left a fiber: #%s %s, %s, waiting for %s", tostring(id),
        tostring(fiber.name), tostring(fiber.state), tostring(fiber.waiting))
    end
  end
  for fd in pairs(after.fds) do
    if not before.fds[fd] and not opts.descriptors then
      local p = io.popen(string.format("readlink /proc/%d/fd/%d 2>&1", t.pid(), fd))
      found[#found + 1] = string.format("left descriptor %d: %s", fd, (p:read("*a"):gsub("%s+$", "")))
      p:close()
    end
  end
  local refs = after.registry - before.registry
  if refs > REGISTRY_TOLERANCE then found[#found + 1] = string.format("left %d registry entries", refs) end
  local kib = after.memory - before.memory
  local grown = kib > (opts.memory or MEMORY_TOLERANCE) and string.format("left %.0f KiB of Lua memory", kib) or nil
  return found, grown
end

-- What is made at the first use is no leak: use it once.
local function warm_up()
  t.pcall(weft.run, function()
    weft.sleep(0)
    local ch = weft.channel(1)
    ch:put(1)
    weft.choose(ch:get_op(), weft.sleep_op(1)):perform()
    if weft.net and weft.net.tcp then
      local l = weft.net.tcp.listen("localhost", 0)
      if l then
        weft.timeout(l:accept_op(), 0.001):perform()  -- io_uring has a descriptor for those that wait
        l:close()
      end
    end
  end)
end

-- ---------------------------------------------------------------- running one case

local function describe(e)
  local text = tostring(e)
  local ok, info = pcall(function() return weft.error_info(e) end)
  if ok and type(info) == "table" and info.traceback and not text:find("stack traceback", 1, true) then
    text = text .. "\n" .. tostring(info.traceback)
  end
  return text
end

local function is_skip(e) return type(e) == "table" and e[SKIP] ~= nil end

-- Runs it once -> what it raised, what it left, the memory that it left; nil where there is none of it.
local function attempt(case)
  local before = snapshot()
  local ok, e
  if case.outside then
    ok, e = xpcall(case.f, function(m)
      return type(m) == "string" and debug.traceback(m, 2) or m
    end)
  else
    ok, e = t.pcall(weft.run, function() case.f() end)
  end
  local found, grown = leftovers(before, snapshot(), case.opts)
  for _ = 1, 100 do                       -- threads that end, a runtime that lives on: they may close something yet
    if #found == 0 and not grown or is_skip(e) then break end
    if t.jit then require "jit".flush() end -- compiled code keeps what it has folded: ("x"):rep(2^23) is a constant
    if t.under_weft then t.pcall(weft.sleep, 0.05) else os.execute "sleep 0.05" end
    found, grown = leftovers(before, snapshot(), case.opts)
  end
  return not ok and { e } or nil, found, grown
end

-- -> "ok" | "fail" | "skip", message
local function run_case(case)
  if case.opts.slow and t.quick then return "skip", "slow" end
  if case.outside and t.under_weft then return "skip", "the runner is a fiber" end
  local raised, found, grown = attempt(case)
  -- What leaks is left each time; tables and pools grow now and then, to what is garbage between two collections.
  for _ = 1, 3 do
    if raised or #found > 0 or not grown then break end
    raised, found, grown = attempt(case)
  end
  if raised and is_skip(raised[1]) then return "skip", raised[1][SKIP] end
  local problems = {}
  if raised then problems[1] = describe(raised[1]) end
  for _, problem in ipairs(found) do problems[#problems + 1] = problem end
  problems[#problems + 1] = grown
  if #problems > 0 then return "fail", table.concat(problems, "\n") end
  return "ok"
end

-- Runs the registered cases from index `from` on; report(kind, name, text) hears of each,
-- once before it runs ("run") and once after.
function t.execute(from, wanted, report)
  warm_up()
  for i = from, #t.cases do
    local case = t.cases[i]
    if wanted(case.name) then
      report("run", case.name, tostring(i))
      local kind, text = run_case(case)
      report(kind, case.name, text)
      -- A case that had the root scope cancelled (a deadlock does) has spoilt this process.
      if t.under_weft and not t.pcall(weft.yield) then
        report("again", "", tostring(i))
        return
      end
    end
  end
  report("end", "", "")
end

return t
