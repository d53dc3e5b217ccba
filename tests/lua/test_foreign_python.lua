-- SPDX-License-Identifier: MIT
-- weft.foreign.python: the cases of every language, and what is Python's own.

local t = require "harness"
local weft = require "weft"

local FOLDER = debug.getinfo(1, "S").source:match "^@(.*/)" .. "foreign"
local OPTIONS = { path = FOLDER }

local function load(module, opts)
  local all = {}
  for k, v in pairs(OPTIONS) do all[k] = v end
  for k, v in pairs(opts or {}) do all[k] = v end
  return weft.foreign.python(module, all)
end

local function load_fixture(config, opts)
  local all = { config = config }
  for k, v in pairs(opts or {}) do all[k] = v end
  return load("weft_fixture", all)
end

local warm, not_there, code_of_load = load "weft_plain"
if code_of_load == "ENOENT" then
  t.test("Python", function() t.skip(not_there) end)
  return
end
assert(warm, not_there):unload()

local case, with_runtime, in_process = require "foreign_cases" (load_fixture)
local function with_fixture(config, f) with_runtime(config, nil, f) end

t.test("a module without init serves by itself", function()
  local rt = assert(load "weft_plain")
  t.returns(t.pack(true, "ABC"), rt:upper("abc"))
  rt:unload()
end)

t.test("one function may serve whatever is called", function()
  local rt = assert(load("weft_plain", { ["function"] = "handle" }))
  t.returns(t.pack(true, "handled 1"), rt:anything("1"))
  t.returns(t.pack(true, "handled 2"), rt("2"))
  rt:unload()
end)

t.test("a module that is not there, or does not import", function()
  t.contains(t.fails("init failed", load "weft_no_such_module"), "ModuleNotFoundError")
  local message = t.fails("init failed", load "weft_broken")
  t.contains(message, "deliberately broken")
  t.contains(message, "weft_broken.py")
end)

t.test("a request from a thread that answers none", function()
  with_fixture("outside", function(rt) t.returns(t.pack(true, "not inside a request"), rt:not_in_a_request()) end)
end)

t.test("sqlite3 answers a query", function()
  with_fixture("sqlite", function(rt)
    local ok, rows = rt:query "select version, year from lua where year > 2010 order by year desc"
    t.truthy(ok, rows)
    t.eq(rows, "5.4 2020\n5.3 2015")
    local failed, rc, err = rt:query "select nonsense"
    t.eq(failed, false)
    t.eq(rc, 1)
    t.contains(err, "sqlite3.OperationalError")
  end)
end)

t.test("zipfile packs and unpacks", { memory = 1024 }, function()
  with_fixture("zip", function(rt)
    local text = ("compress me "):rep(1000)
    t.returns(t.pack(true, text), rt:unzip(text))
  end)
end)

case("an asyncio client asks a server of ours", function()
  with_fixture("client", function(rt)
    local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
    local _, port = listener:address()
    weft.scope(function(s)
      s:daemon(function()
        while true do
          local stream = assert(listener:accept())
          s:spawn(function()
            stream:write(assert(stream:read_some()):upper())
            stream:close()
          end)
        end
      end)
      for i = 1, 10 do
        s:spawn(function() t.returns(t.pack(true, "LINE " .. i), rt:ask_server(port .. " line " .. i)) end)
      end
    end)
    listener:close()
  end)
end)

t.test("C extension modules find libpython", function()
  with_fixture("extension", function(rt) t.returns(t.pack(true, "3.30_ctypes"), rt:extension()) end)
end)

t.test("a module cannot take the host's signals", function()
  with_fixture("signals", function(rt)
    local ok, why = rt:take_signal()
    t.truthy(ok, why)
    t.contains(why, "main thread")
  end)
end)

t.test("Python runs in this process", function()
  with_fixture("process", function(rt) t.returns(t.pack(true, tostring(t.pid())), rt:process()) end)
end)

-- A folder with the two things that make it a virtual environment for Python.
local function make_venv(version)
  local venv = os.tmpname()
  os.remove(venv)
  local packages = ("%s/lib/python%s/site-packages"):format(venv, version)
  local command = 'mkdir -p %s %s/bin && ln -s "$(command -v python3)" %s/bin/python'
  local made = t.shell(command:format(packages, venv, venv))
  t.eq(made.code, 0, made.err)
  t.spit(packages .. "/weft_venv_package.py", "def where():\n    return __file__\n")
  t.spit(venv .. "/pyvenv.cfg", "home = /usr/bin\nversion = " .. version .. "\n")
  return venv
end

t.test("a virtual environment's packages", function()
  local version
  with_fixture("version", function(rt) version = select(2, rt:version()) end)
  local venv = make_venv(version)
  local rt = assert(load("weft_fixture", { venv = venv, python = version }))
  local ok, where = rt:venv_package()
  t.truthy(ok, where)
  t.contains(where, venv)
  rt:unload()
  t.shell("rm -r " .. venv)
  rt, not_there, code_of_load = load("weft_fixture", { venv = "/no/such/venv", python = version })
  t.eq(rt, nil)
  t.eq(code_of_load, "init failed")
  t.contains(not_there, "/no/such/venv")
end)

t.test("another Python than the one that runs", function()
  t.contains(t.fails("init failed", load("weft_fixture", { python = "3.2" })), "3.2")
end)

-- In processes of their own: each can have one Python.
local function program(body, opts)
  return t.program(([[
    local weft = require "weft"
    weft.run(function()
      local load = function(module, opts)
        opts.path = %q
        return weft.foreign.python(module, opts)
      end
      %s
    end)]]):format(FOLDER, body), opts)
end

t.test("every Python of the machine that is not too old", { slow = true }, function()
  local list = t.shell "ls /root/.pyenv/versions/*/bin/python3 ~/.pyenv/versions/*/bin/python3 | sort -u"
  local tried = 0
  for python in list.out:gmatch "[^\n]+" do
    local minor = tonumber(python:match "/3%.(%d+)[^/]*/bin/")
    if minor and minor >= 9 then
      tried = tried + 1
      local result = program(([[
        local rt = assert(load("weft_fixture", { python = %q }))
        local _, version = rt:version()
        local _, extension = rt:extension()
        io.write(version, " ", extension, " ", select(2, rt:later "x"))]]):format(python))
      t.eq(result.out, ("3.%d 3.30_ctypes x"):format(minor), result.err)
    end
  end
  if tried == 0 then t.skip "no other Python here" end
end)

t.test("the interpreter leaves signals, mask and locale alone", function()
  local status = [[
    local function status()
      local found = {}
      for line in io.lines "/proc/self/status" do
        -- Signals above 31 are glibc's own: it takes two when the first thread starts.
        local name, low = line:match "^(Sig[BIC]%w+):.*(%x%x%x%x%x%x%x%x)$"
        if name then found[#found + 1] = name .. tonumber(low, 16) % 0x80000000 end
      end
      return table.concat(found, "\n") .. os.setlocale(nil, "ctype")
    end]]
  local result = program(status .. [[
    local before = status()
    local rt = assert(load("weft_fixture", {}))
    assert(rt:later "x")
    assert(status() == before, status())
    io.write "same"]], { env = "LC_ALL=C.UTF-8" })
  t.eq(result.out, "same", result.err)
end)

in_process("Python", "weft_fixture", program)

-- ---------------------------------------------------------------- as the seed has it

for _, name in ipairs { "libresty_ffi_python.so", "lib_nonblocking_ffi_python3.so" } do
  t.test("a module for " .. name, function()
    local rt = assert(weft.foreign.load(name, FOLDER .. "/weft_seed,serve,a,b", { is_global = true }))
    t.returns(t.pack(true, "a,b:x"), rt:call("x"))
    rt:unload()
    local plain = assert(weft.foreign.load(name, FOLDER .. "/weft_seed?,serve"))
    t.returns(t.pack(true, "none:x"), plain:call("x"))
    plain:unload()
  end)
end

t.test("what a module of the seed may get wrong", function()
  local function load_seed(config) return weft.foreign.load("libresty_ffi_python.so", config) end
  local _, message, code, status = load_seed(FOLDER .. "/weft_seed,refuse")
  t.eq(code, "init failed")
  t.eq(status, 7)
  t.contains(message, "7")
  t.contains(t.fails("init failed", load_seed "weft_no_such_module,serve"), "ModuleNotFoundError")
  t.contains(t.fails("init failed", load_seed(FOLDER .. "/weft_seed,nothing")), "AttributeError")
  t.contains(t.fails("init failed", load_seed "nonsense"), "module,function")
end)

-- ---------------------------------------------------------------- misuse

t.test("options are checked", function()
  t.misuse("unknown option 'flags'", function() weft.foreign.python("m", { flags = "x" }) end)
  t.misuse("bad argument #1", function() weft.foreign.python(1) end)
  t.misuse("option 'threads'", function() weft.foreign.python("m", { threads = 0 }) end)
  t.misuse("option 'path'", function() weft.foreign.python("m", { path = { 1 } }) end)
  t.misuse("option 'config'", function() weft.foreign.python("m", { config = 1 }) end)
end)
