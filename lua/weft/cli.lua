-- SPDX-License-Identifier: MIT
-- The weft command, from src/cli/main.cpp: called with what that offers (root, lua, usage, is_terminal,
-- await_input) and the command line; returns the exit code.
local host, argv = ...
local stdin, stdout, stderr = io.stdin, io.stdout, io.stderr
local compile = loadstring or load -- luacheck: ignore
local version = _VERSION:match "%d+%.%d+"

-- In front, so that the weft of this command is found, and not another one.
package.path = ("%s/share/lua/?.lua;%s/share/lua/?/init.lua;"):format(host.root, host.root) .. package.path
package.cpath = ("%s/lib/lua/%s/?.so;"):format(host.root, version) .. package.cpath

local function say(...)
  stdout:flush()
  stderr:write("weft: ", ...)
  stderr:write "\n"
  return 1
end

-- ---------------------------------------------------------------- the command line

local function refuse(...) error({ refused = table.concat { ... } }, 0) end

-- { code = { text... }, script = its place in argv, action = "help" | "version", interactive }
local function parse()
  local found, command, i = { code = {} }, false, 1
  local function value(what)
    i = i + 1
    if not argv[i] then refuse("'", argv[i - 1], "' needs ", what) end
    return argv[i]
  end
  while argv[i] do
    local a = argv[i]
    if a == "run" and not command then command = true
    elseif a == "-" or a:sub(1, 1) ~= "-" then found.script = i break
    elseif a == "--" then found.script = argv[i + 1] and i + 1 break
    elseif a == "-e" then table.insert(found.code, value "a line of Lua")
    elseif a:sub(1, 2) == "-e" then table.insert(found.code, a:sub(3))
    elseif a == "-i" then found.interactive = true
    elseif a == "--lua" then value "the name of a Lua" -- the launcher has seen to it
    elseif a:sub(1, 6) == "--lua=" then -- luacheck: ignore
    elseif a == "--version" or a == "-v" then found.action = "version"
    elseif a == "--help" or a == "-h" then found.action = "help" break
    else refuse("unknown option '", a, "' (see weft --help)")
    end
    i = i + 1
  end
  local alone = not found.script and not found.code[1] and not found.action
  if alone and command and not found.interactive then refuse "run what? Name a program, or - for standard input" end
  if alone and host.is_terminal() then found.interactive = true end
  found.from_stdin = alone and not found.interactive
  return found
end

-- As the stock interpreter: the script at 0, its arguments above, what stands before it below.
local function set_arg(script)
  local list = {}
  for i = 0, #argv do list[i - (script or 0)] = argv[i] end
  arg = list -- luacheck: ignore
end

local unpack = table.unpack or unpack -- luacheck: ignore
local function arguments(script) return unpack(argv, (script or #argv) + 1, #argv) end

-- ---------------------------------------------------------------- errors

local function text_of(value)
  local kind = type(value)
  if kind == "string" or kind == "number" then return tostring(value) end
  local metatable = debug.getmetatable(value)
  if type(metatable) == "table" and rawget(metatable, "__tostring") then
    local ok, text = pcall(tostring, value)
    if ok and type(text) == "string" then return text end
  end
  return ("(error object is a %s value)"):format(kind)
end

local weft, core, report

-- With the place where a fiber raised it. To a string run has appended that itself.
local function describe(value)
  local info = type(value) ~= "string" and report.going_on_value(value)
  return info and report.text(info, text_of(value)) or text_of(value)
end

-- ---------------------------------------------------------------- programs

-- The code of LUA_INIT, of each -e, and the program; each a function, compiled before the first runs.
local function load_chunks(found)
  local chunks = {}
  local function add(f, message)
    if not f then refuse(message) end
    chunks[#chunks + 1] = f
  end
  local name = "LUA_INIT_" .. version:gsub("%.", "_")
  local init = version ~= "5.1" and os.getenv(name)
  if not init then name, init = "LUA_INIT", os.getenv "LUA_INIT" end
  if init and init:sub(1, 1) == "@" then add(loadfile(init:sub(2)))
  elseif init then add(compile(init, "=" .. name)) end
  for _, text in ipairs(found.code) do add(compile(text, "=(command line)")) end
  if found.from_stdin then add(loadfile())
  elseif found.script then
    local script = argv[found.script]
    if script == "-" and argv[found.script - 1] ~= "--" then script = nil end
    add(loadfile(script))
  end
  return chunks
end

-- One after the other; the last in place of this, so that no traceback shows this.
local function run_chunks(chunks, i, ...)
  if not chunks[i + 1] then return chunks[i](...) end
  chunks[i](...)
  return run_chunks(chunks, i + 1, ...)
end

-- The exit code of a run that ended so.
local function verdict(ok, problem)
  local interrupted = core.interrupted()
  if not ok and not (interrupted and weft.is_cancelled(problem)) then say(describe(problem)) end
  if not interrupted then return ok and 0 or 1 end
  say "interrupted"
  return 130
end

local function run_program(chunks, ...)
  if not chunks[2] then return verdict(pcall(weft.run, chunks[1], ...)) end
  return verdict(pcall(weft.run, run_chunks, chunks, 1, ...))
end

-- ---------------------------------------------------------------- lines of a REPL

local function prompt(name, default)
  local given = rawget(_G, name)
  return given == nil and default or tostring(given)
end

-- The next line, or nil at the end. The other fibers go on until there is one.
local function read_line(text)
  stdout:write(text)
  stdout:flush()
  local arrived = weft.channel(1)
  local function deliver() weft.spawn(arrived.put, arrived, true) end
  if not host.await_input(deliver) then arrived:get() end
  return stdin:read "*l"
end

local function is_incomplete(message) return type(message) == "string" and message:find "<eof>'?$" end

-- A function for the next lines: an expression, or statements that may need more than one. nil, message
-- where they do not compile, and nil at the end.
local function read_chunk()
  local text = read_line(prompt("_PROMPT", "> "))
  if not text then return nil end
  text = text:gsub("^=", "return ")
  local f = compile("return " .. text, "=stdin")
  if f then return f end
  while true do
    local message
    f, message = compile(text, "=stdin")
    if f or not is_incomplete(message) then return f, message end
    local more = read_line(prompt("_PROMPT2", ">> "))
    if not more then return nil, message end
    text = text .. "\n" .. more
  end
end

-- Without the frames of this file and below.
local function shorten(traceback)
  local kept = {}
  for line in traceback:gmatch "[^\n]+" do
    if line:find "/weft/cli%.lua:%d+:" then break end
    kept[#kept + 1] = line
  end
  while kept[1] and kept[#kept]:find "%[C%]: in" do kept[#kept] = nil end
  return table.concat(kept, "\n")
end

local function say_failure(value)
  local info = weft.error_info(value)
  local text = text_of(value)
  if info and info.traceback ~= "" then text = text .. "\n" .. shorten(info.traceback) end
  say(text)
end

local function show(...)
  if select("#", ...) > 0 then print(...) end
end

local function has_daemons(scope)
  for _, fiber in ipairs(core.fibers()) do
    if core.fiber_is_daemon(fiber) and rawequal(core.fiber_scope(fiber), scope) then return true end
  end
  return false
end

-- Runs f in a fiber and a scope of its own: what it spawns goes on after it, and what fails there ends
-- neither the REPL nor what other lines have spawned. Returns when f has.
local function run_line(f, ...)
  local over = weft.channel(1)
  local function scope(s, ...)
    show(f(...))
    over:put(true)
    if has_daemons(s) then weft.channel():get() end -- which would end with the scope
  end
  local function line(...)
    local values, n = { ... }, select("#", ...)
    local ok, problem = weft.pcall(weft.scope, function(s) scope(s, unpack(values, 1, n)) end)
    if not ok then
      if weft.is_cancelled(problem) and rawequal(problem.fiber, weft.self()) then error(problem, 0) end
      say_failure(problem)
    end
    over:close()
  end
  weft.spawn(line, ...):name "line"
  over:get()
end

-- ---------------------------------------------------------------- the REPL

local function version_line()
  local backend
  weft.run(function() backend = core.counters().backend end)
  local lua = jit and jit.version or host.lua -- luacheck: ignore
  return ("weft %s (%s, %s)"):format(core.version, lua, backend)
end

-- At a deadlock the fibers there are have ended, so the lines after it get a new run.
local function interact(chunks, ...)
  stdin:setvbuf "no" -- what is awaited is in the descriptor, not in a buffer
  local at, values, n = 1, { ... }, select("#", ...)
  local function session()
    weft.self():name "REPL"
    while chunks[at] do
      at = at + 1
      run_line(chunks[at - 1], unpack(values, 1, n))
    end
    while true do
      local f, message = read_chunk()
      if f then run_line(f)
      elseif message then say(message)
      else return end
    end
  end
  while true do
    local ok, problem = pcall(weft.run, { drain = false }, session)
    if ok or core.interrupted() or not weft.is_deadlock(problem) then
      if ok and host.is_terminal() then stdout:write "\n" end
      return verdict(ok, problem)
    end
    say(describe(problem))
  end
end

-- ---------------------------------------------------------------- all of it

local function main()
  local found = parse()
  if found.action == "help" then
    stdout:write(host.usage)
    return 0
  end
  weft, core, report = require "weft", require "weft.core", require "weft.report"
  if found.action == "version" then
    print(version_line())
    return 0
  end
  set_arg(found.script)
  local chunks = load_chunks(found)
  core.catch_interrupt()
  core.catch_dump "SIGQUIT"
  if not found.interactive then return run_program(chunks, arguments(found.script)) end
  print(version_line())
  return interact(chunks, arguments(found.script))
end

local function failed(problem)
  if type(problem) == "table" and problem.refused then return { say(problem.refused) } end
  return { say(debug.traceback(text_of(problem), 2)) }
end

local ok, code = xpcall(main, failed)
return ok and code or code[1]
