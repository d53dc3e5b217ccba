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

local with_runtime, in_process = require "foreign_cases" (load_fixture)
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

-- A folder with these files: names to texts.
local function make_folder(files)
  local folder = os.tmpname()
  os.remove(folder)
  for name, text in pairs(files) do
    local made = t.shell(("mkdir -p '%s'"):format((folder .. "/" .. name):match "^(.*)/"))
    t.eq(made.code, 0, made.err)
    t.spit(folder .. "/" .. name, text)
  end
  return folder
end

local function remove_folder(folder) t.eq(t.shell("rm -r " .. folder).code, 0) end

t.test("modules of one name in two folders are two", function()
  local where = "def where(request):\n    return %q\n"
  local package = "from .part import where\nfrom . import part\n__all__ = ['where']\n"
  local function make(text)
    return make_folder {
      ["weft_twin.py"] = where:format(text),
      ["weft_twins/__init__.py"] = package,
      ["weft_twins/part.py"] = where:format(text .. " in a package"),
      ["inspect.py"] = where:format(text .. " hides a module of Python's"),
    }
  end
  local one, two = make "one", make "two"
  for round = 1, 2 do
    for folder, text in pairs { [one] = "one", [two] = "two" } do
      for unit, wanted in pairs {
        weft_twin = text,
        weft_twins = text .. " in a package",
        ["weft_twins.part"] = text .. " in a package",
        inspect = text .. " hides a module of Python's",
      } do
        local rt = assert(weft.foreign.python(unit, { path = folder, config = tostring(round) }))
        t.returns(t.pack(true, wanted), rt:where())
        rt:unload()
      end
    end
  end
  -- Without a folder it is the module of Python itself, which was there before.
  local plain = assert(weft.foreign.python "inspect")
  t.contains(select(3, plain:where()), "inspect has no function where")
  plain:unload()
  remove_folder(one)
  remove_folder(two)
end)

t.test("a module is one for all who load it from its folder", function()
  local folder = make_folder {
    ["weft_counted.py"] = "n = 0\ndef count(request):\n    global n\n    n += 1\n    return str(n)\n",
  }
  for i = 1, 3 do
    local path = i == 2 and folder .. "/." or folder
    local rt = assert(weft.foreign.python("weft_counted", { path = path, config = tostring(i) }))
    t.returns(t.pack(true, tostring(i)), rt:count())
    rt:unload()
  end
  remove_folder(folder)
end)

t.test("a module that does not import is tried again", function()
  local folder = make_folder { ["weft_mended.py"] = "raise ValueError('not yet')\n" }
  local function load_it() return weft.foreign.python("weft_mended", { path = folder }) end
  for _ = 1, 2 do t.contains(t.fails("init failed", load_it()), "not yet") end
  t.spit(folder .. "/weft_mended.py", "def now(request):\n    return 'now'\n")
  local rt = assert(load_it())
  t.returns(t.pack(true, "now"), rt:now())
  rt:unload()
  remove_folder(folder)
end)

t.test("what a module has imported it does not serve", function()
  local folder = make_folder {
    ["weft_importer/__init__.py"] = [[
from base64 import b64encode
from functools import partial, wraps
from os import getcwd, system
from random import choice
from subprocess import Popen

from .part import helper

__all__ = ["b64encode"]

def unwrapped(function):
    return partial(function, b"!")

def shout(end, request):
    return request.upper() + end

loud = unwrapped(shout)

def twice(function):
    @wraps(function)
    def both(request):
        return function(request) * 2
    return both

@twice
def echo(request):
    return request
]],
    ["weft_importer/part.py"] = "def helper(request):\n    return b'helped'\n",
  }
  local rt = assert(weft.foreign.python("weft_importer", { path = folder }))
  for _, name in ipairs { "getcwd", "system", "choice", "Popen", "partial", "wraps" } do
    t.exception("weft_importer has no function " .. name, rt[name](rt, "true"))
  end
  t.returns(t.pack(true, "eA=="), rt:b64encode "x")
  t.returns(t.pack(true, "helped"), rt:helper "x")
  t.returns(t.pack(true, "xx"), rt:echo "x")
  t.returns(t.pack(true, "X!"), rt:loud "x")
  rt:unload()
  local chosen = assert(weft.foreign.python("weft_importer", { path = folder, ["function"] = "getcwd" }))
  t.contains(select(3, chosen:x()), "getcwd")
  chosen:unload()
  remove_folder(folder)
end)

t.test("a request from a thread that answers none", function()
  with_fixture("outside", function(rt) t.returns(t.pack(true, "not inside a request"), rt:not_in_a_request()) end)
end)

t.test("sqlite3 answers a query", function()
  with_fixture("sqlite", function(rt)
    local ok, rows = rt:query "select version, year from lua where year > 2010 order by year desc"
    t.truthy(ok, rows)
    t.eq(rows, "5.4 2020\n5.3 2015")
    t.exception("sqlite3.OperationalError", rt:query "select nonsense")
  end)
end)

t.test("zipfile packs and unpacks", { memory = 1024 }, function()
  with_fixture("zip", function(rt)
    local text = ("compress me "):rep(1000)
    t.returns(t.pack(true, text), rt:unzip(text))
  end)
end)

t.test("an asyncio client asks a server of ours", function()
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
  for _, python in ipairs { "2.7", "2", "nonsense", "3.x" } do
    local message = t.fails("init failed", load("weft_fixture", { python = python }))
    t.contains(message, ("'%s' is no Python for weft"):format(python))
  end
  t.contains(t.fails("init failed", load("weft_fixture", { python = "/no/such/python2.7" })), "python2.7")
  local rt = assert(load("weft_plain", { python = "3" }))
  t.returns(t.pack(true, "ABC"), rt:upper("abc"))
  rt:unload()
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

t.test("the first runtime's choice of a Python", function()
  local result = program [[
    for _, python in ipairs { "2.7", "/no/such/python3.11", "3" } do
      local rt, message = load("weft_plain", { python = python })
      print(rt and select(2, rt:upper "started") or message)
    end]]
  t.match(result.out, "'2.7' is no Python.*/no/such/python3.11.*STARTED\n", result.err)
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

t.test("the seed's modules of one name in two folders are two", function()
  local text = t.slurp(FOLDER .. "/weft_seed.py")
  for _, answer in ipairs { "one", "two" } do
    local folder = make_folder { ["weft_seed.py"] = (text:gsub('b":"', 'b" ' .. answer .. ':"')) }
    for _, unit in ipairs { "weft_seed", "weft_seed?" } do
      local rt = assert(weft.foreign.load("libresty_ffi_python.so", folder .. "/" .. unit .. ",serve,a"))
      t.returns(t.pack(true, "a " .. answer .. ":x"), rt:call("x"))
      rt:unload()
    end
    t.spit(folder .. "/weft_seed.py", (text:gsub('b":"', 'b" reloaded:"')))
    local again = assert(weft.foreign.load("libresty_ffi_python.so", folder .. "/weft_seed?,serve,b"))
    t.returns(t.pack(true, "b reloaded:x"), again:call("x"))
    again:unload()
    remove_folder(folder)
  end
end)

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
