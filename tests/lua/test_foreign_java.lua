-- SPDX-License-Identifier: MIT
-- weft.foreign.java: the cases of every language, and what is Java's own.

local t = require "harness"
local weft = require "weft"

local FOLDER = debug.getinfo(1, "S").source:match "^@(.*/)" .. "foreign"

-- The loader's jar, which the fixture is compiled against, is in lib/weft beside lib/lua.
local function jar()
  for template in package.cpath:gmatch "[^;]+" do
    local path = template:gsub("lua/[^/]*/%?%.so$", "weft/weft.jar")
    local f = io.open(path)
    if f then
      f:close()
      return path
    end
  end
end

local function skip(why)
  t.test("Java", function() t.skip(why) end)
end

local JAR = jar()
if not JAR then return skip "weft was built without its loader for Java" end

if package.cpath:find("build/tsan", 1, true) then
  return skip "ThreadSanitizer does not see how Java's threads synchronise: its reports are false"
end

local CLASSES = os.tmpname()
os.remove(CLASSES)
local compiled = t.shell(("javac --release 11 -d %s -cp %s %s/Fixture.java %s/demo/Seed.java"):format(CLASSES, JAR,
  FOLDER, FOLDER))
if compiled.code ~= 0 then return skip("javac does not compile the fixture: " .. compiled.err) end

local function load(class, opts)
  local all = { classpath = CLASSES }
  for k, v in pairs(opts or {}) do all[k] = v end
  return weft.foreign.java(class, all)
end

local function load_fixture(config, opts)
  local all = { config = config }
  for k, v in pairs(opts or {}) do all[k] = v end
  return load("Fixture", all)
end

-- The JVM keeps its own files open from its first start.
assert(load_fixture "warm"):unload()

local with_runtime, in_process = require "foreign_cases" (load_fixture)

local function with_fixture(config, f) with_runtime(config, nil, f) end

t.test("each runtime has classes of its own", function()
  with_fixture("one", function(one)
    with_fixture("two", function(two)
      t.returns(t.pack(true, "1"), one:made())
      t.returns(t.pack(true, "1"), two:made())
    end)
  end)
end)

t.test("a class that is not there", function()
  t.contains(t.fails("init failed", load "NoSuchClass"), "ClassNotFoundException")
end)

t.test("java.util.zip packs and unpacks", { memory = 1024 }, function()
  with_fixture("zip", function(rt)
    local text = ("compress me "):rep(1000)
    t.returns(t.pack(true, text), rt:unzip(text))
  end)
end)

-- In processes of their own: each can have one JVM.
local function program(body, opts)
  return t.program(([[
    local weft = require "weft"
    weft.run(function()
      local load = function(class, opts)
        opts.classpath = %q
        return weft.foreign.java(class, opts)
      end
      %s
    end)]]):format(CLASSES, body), opts)
end

-- HttpClient keeps descriptors until Java's collector comes by.
t.test("java.net.http fetches pages of a server of ours", function()
  local result = program [[
    local rt = assert(load("Fixture", {}))
    local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
    local _, port = listener:address()
    local function serve(stream)
      local path = assert(stream:read_some()):match "^GET (%S+)"
      stream:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#path, path))
      stream:close()
    end
    local right = 0
    weft.scope(function(s)
      s:daemon(function() while true do s:spawn(serve, assert(listener:accept())) end end)
      for i = 1, 10 do
        s:spawn(function()
          local ok, page = rt:get(("http://127.0.0.1:%d/page/%d"):format(port, i))
          if ok and page == "200 /page/" .. i then right = right + 1 else print(ok, page) end
        end)
      end
    end)
    io.write(right)]]
  t.eq(result.out, "10", result.err)
end)

t.test("options of the JVM", function()
  local result = program [[
    local rt = assert(load("Fixture", { flags = { "-Dweft.test=seen", "-Xmx64m" } }))
    io.write(select(2, rt:property "weft.test"), "\n")
    local again, message = load("Fixture", { flags = "-Xmx32m" })
    io.write(tostring(again), " ", message, "\n")]]
  t.contains(result.out, "seen\n", result.err)
  t.contains(result.out, "runs with other flags")
end)

t.test("a JVM that is not there", function()
  local result = program [[
    local rt, message, code = load("Fixture", { java_home = "/no/such/java" })
    io.write(tostring(rt), " ", code, " ", message)]]
  t.contains(result.out, "nil init failed", result.err)
  t.contains(result.out, "/no/such/java")
end)

t.test("after a JVM that failed, the first reason is told", function()
  local result = program [[
    for _, flags in ipairs { "-Djava.class.path=/no/such", "-Xmx64m" } do
      print(select(2, load("Fixture", { flags = flags })))
    end]]
  local first, second = result.out:match "^([^\n]*)\n([^\n]*)\n$"
  t.truthy(first, result.out .. result.err)
  t.contains(first, "does not find the classes of weft")
  t.contains(second, "already; the first attempt of this process: the JVM does not find the classes of weft")
end)

t.test("of overloads the documented one answers", function()
  with_fixture("overloads", function(rt)
    t.returns(t.pack(true, "bytes"), rt:overloaded "x")
    t.returns(t.pack(true, "text"), rt:overloaded_text "x")
    t.returns(t.pack(true, "nothing"), rt:overloaded_nothing "x")
  end)
end)

t.test("a class that is not public", function()
  t.contains(t.fails("init failed", load "Hidden"), "Hidden is not a public class")
end)

t.test("every Java of the machine", { slow = true }, function()
  local homes = t.shell "ls -d /usr/lib/jvm/*/lib/server | xargs -n 1 realpath | sort -u"
  for server in homes.out:gmatch "[^\n]+" do
    local home = server:gsub("/lib/server$", "")
    local result = program(([[
      local rt = assert(load("Fixture", { java_home = %q }))
      io.write(select(2, rt:property "java.home"), " ", select(2, rt:later "x"))]]):format(home))
    t.eq(result.out, home .. " x", result.err)
  end
end)

t.test("the JVM leaves INT, TERM, HUP and QUIT alone", function()
  local result = program [[
    local function caught()
      for line in io.lines "/proc/self/status" do
        local low = line:match "^SigCgt:.*(%x%x%x%x%x%x%x%x)$"
        if low then low = tonumber(low, 16) return low % 8, math.floor(low / 2^14) % 2 end
      end
    end
    local before, term_before = caught()
    local rt = assert(load("Fixture", {}))
    assert(rt:later "x")
    local after, term_after = caught()
    io.write(tostring(before == after and term_before == term_after))]]
  t.eq(result.out, "true", result.err)
end)

in_process("Java", "Fixture", program)

-- ---------------------------------------------------------------- as the seed has it

t.test("classes for lua-resty-nonblocking-ffi and lua-resty-ffi", function()
  local result = t.program([[
    local weft = require "weft"
    weft.run(function()
      local function show(library, config)
        local rt, message, code, status = weft.foreign.load(library, config)
        if not rt then return print(code, status, message) end
        print(rt:call "x")
        rt:unload()
      end
      show("lib_nonblocking_ffi_java.so", "demo/Seed,first,a,b")
      show("libresty_ffi_java.so", "demo.Seed?,second,")
      show("libresty_ffi_java.so", "demo.Seed,refuse,")
      show("libresty_ffi_java.so", "demo.Seed,missing,")
      show("libresty_ffi_java.so", "nonsense")
    end)]], { env = "CLASSPATH=" .. CLASSES })
  local lines = {}
  for line in result.out:gmatch "[^\n]+" do lines[#lines + 1] = line end
  t.eq(lines[1], "true\tfirst a,b:x", result.err)
  t.eq(lines[2], "true\tsecond :x")
  t.match(lines[3], "^init failed\t7\t")
  t.contains(result.out, "NoSuchMethodException")
  t.contains(result.out, "class,method")
end)

t.test("options are checked", function()
  t.misuse("unknown option 'venv'", function() weft.foreign.java("C", { venv = "x" }) end)
  t.misuse("bad argument #1", function() weft.foreign.java() end)
end)

t.test("the compiled classes are removed", function() t.eq(t.shell("rm -r " .. CLASSES).code, 0) end)
