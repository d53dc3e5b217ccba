-- SPDX-License-Identifier: MIT
-- weft.foreign.node: the cases of every language, and what is Node's own.

local t = require "harness"
local weft = require "weft"

local FOLDER = debug.getinfo(1, "S").source:match "^@(.*/)" .. "foreign"

-- node = "node": in a child, also where weft has an embedded one.
local function load_fixture(config, opts)
  local all = { path = FOLDER, config = config, node = "node" }
  for k, v in pairs(opts or {}) do all[k] = v end
  return weft.foreign.node(FOLDER .. "/weft_fixture.js", all)
end

local warm, why, code = load_fixture "warm"
if code == "ENOENT" then
  t.test("Node", function() t.skip(why) end)
  return
end
assert(warm, why):unload()
-- Embedded, node keeps its own descriptors from its first start.
local function load_embedded(config)
  return weft.foreign.node(FOLDER .. "/weft_fixture.js", { path = FOLDER, config = config })
end
local embedded = assert(load_embedded "warm embedded")
local has_libnode
weft.run(function() has_libnode = select(2, embedded:process()) == tostring(t.pid()) end)
embedded:unload()

local with_runtime, in_process = require "foreign_cases" (load_fixture)
local function with_fixture(config, f) with_runtime(config, nil, f) end

-- ---------------------------------------------------------------- what a function may be

t.test("whatever has a then is a promise", function()
  with_fixture("thenable", function(rt)
    t.returns(t.pack(true, "x"), rt:thenable "x")
    t.exception("deliberate failure", rt:thenable_fail "x")
  end)
end)

t.test("the value that a generator returns is the last part", function()
  with_fixture("last", function(rt)
    t.returns(t.pack(true, "alast"), rt:with_last())
    t.returns(t.pack(true, "aof all"), rt:later_with_last())
    local parts = rt:with_last_parts()
    for _, wanted in ipairs { "a", "last" } do t.returns(t.pack(wanted), parts:read()) end
    t.eq(parts:read(), nil)
  end)
end)

t.test("a part of the wrong type closes its generator", function()
  with_fixture("wrong part", function(rt)
    t.exception("weft takes", rt:wrong_part())
    t.returns(t.pack(true, "true"), rt:closed())
  end)
end)

t.test("what every object inherits is not served", function()
  with_fixture("inherited names", function(rt)
    for _, name in ipairs { "constructor", "toString", "valueOf", "hasOwnProperty", "isPrototypeOf" } do
      t.exception("has no function " .. name, rt[name](rt, "x"))
    end
    t.returns(t.pack(true, "x by a method of its own"), rt:toLocaleString "x")
  end)
end)

-- ---------------------------------------------------------------- what nobody caught

t.test("a rejection or an exception that nobody catches is an error of its request", function()
  with_fixture("stray", function(rt)
    for _, name in ipairs { "stray_rejection", "stray_exception" } do
      t.exception("deliberate failure", rt[name](rt, "x"))
    end
    t.returns(t.pack(true, "still there"), rt:echo("still there"))
  end)
end)

t.test("the end of the child fails its callers, and the next call has another child", function()
  with_fixture("mortal", function(rt)
    for name, wanted in pairs { exit = "exited with status 3", kill = "Killed" } do
      local _, before = rt:process()
      local errors = {}
      weft.scope(function(s)
        s:spawn(function() errors[1] = select(3, rt:slow_later("x")) end)
        weft.sleep(0.05)
        errors[2] = select(3, rt[name](rt, "3"))
      end)
      t.contains(errors[1], wanted)
      t.contains(errors[2], wanted)
      local ok, after = rt:process()
      t.truthy(ok, after)
      t.ne(after, before)
    end
  end)
end)

t.test("a child that cannot be started", function()
  t.contains(t.fails("init failed", load_fixture("x", { node = "/no/such/node" })), "/no/such/node")
  t.contains(t.fails("init failed", weft.foreign.node("./no_such_module", { node = "node" })), "no_such_module")
  t.contains(t.fails("init failed", load_fixture("x", { node = "/bin/false" })), "exited with status 1")
end)

t.test("lengths of a name and of a request", { memory = 4096 }, function()
  with_fixture("lengths", function(rt)
    local name = ("x"):rep(70000)
    local ok, _, err = rt[name](rt, "x")
    t.eq(ok, false)
    t.truthy(err:find(name, 1, true), "the name is cut")
    -- Lua, the worker and the pipe have a copy each.
    local free = t.slurp("/proc/meminfo"):match "MemAvailable:%s+(%d+)"
    if t.scale(100) >= 100 and free and tonumber(free) > 8 * 2 ^ 20 then
      t.returns(t.pack(false, 1, "the request is larger than the 1 GiB that node is sent"),
        rt:echo(("x"):rep(2 ^ 20):rep(1025)))
    end
    t.returns(t.pack(true, "still there"), rt:echo("still there"))
  end)
end)

t.test("flags of node", function()
  with_runtime("flags", { flags = "--max-old-space-size=64" }, function(rt)
    t.returns(t.pack(true, "--max-old-space-size=64"), rt:flags())
  end)
end)

t.test("the child has none of our descriptors, and no blocked signal", function()
  with_fixture("inherited", function(rt)
    local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
    local _, pid = rt:process()
    local status = t.slurp("/proc/" .. pid .. "/status")
    t.match(status, "SigBlk:%s+0000000000000000")
    local ours = t.shell("readlink /proc/" .. t.pid() .. "/fd/*").out
    local theirs = t.shell("readlink /proc/" .. pid .. "/fd/*").out
    for socket in ours:gmatch "socket:%[%d+%]" do t.falsy(theirs:find(socket, 1, true), socket) end
    listener:close()
  end)
end)

t.test("the child ends with its runtime", function()
  local rt = assert(load_fixture "ends")
  local _, pid = rt:process()
  rt:unload()
  t.eventually(function() return t.slurp("/proc/" .. pid .. "/stat") == "" end)
end)

t.test("the child ends with its host", function()
  local result = t.program(([[
    local weft = require "weft"
    weft.run(function()
      local rt = assert(weft.foreign.node(%q))
      io.write(select(2, rt:process()))
      io.stdout:flush()
      rt:slow_later_op "x"
      os.execute("kill -KILL " .. io.open("/proc/self/stat"):read "*n")
    end)]]):format(FOLDER .. "/weft_fixture.js"))
  local pid = t.match(result.out, "^%d+$", result.err)
  t.eventually(function() return t.has_ended(pid) end)
end)

-- ---------------------------------------------------------------- Node inside this process

-- In processes of their own, which end in many ways while Node works.
local function program(body, opts)
  return t.program(([[
    local weft = require "weft"
    local function load(module, opts)
      opts.path = %q
      return weft.foreign.node(module, opts)
    end
    weft.run(function()
      %s
    end)]]):format(FOLDER, body), opts)
end

if has_libnode then
  t.test("Node inside this process", { memory = 1024 }, function()
    local rt = assert(load_embedded "embedded")
    t.returns(t.pack(true, "embedded"), rt:config())
    weft.scope(function(s)
      for i = 1, 100 do
        s:spawn(function() t.returns(t.pack(true, "request " .. i), rt:later("request " .. i)) end)
      end
    end)
    t.contains(select(3, rt:later_fail()), "deliberate failure")
    t.contains(select(3, rt:exit("3")), "the node environment has ended")
    t.returns(t.pack(true, "still there"), rt:echo("still there"))
    rt:unload()
  end)

  in_process("Node", FOLDER .. "/weft_fixture.js", program)

  for _, work in ipairs { "echo", "timers", "spin", "worker", "block" } do
    t.test(("a program ends as it wants while Node is at work: %s"):format(work), function()
      for _, how in ipairs { "return", "rt:unload()", "os.exit(7)", "os.exit(7, true)", "error 'x'" } do
        local status = how:find "7" and 7 or how:find "error" and 1 or 0
        local result = program(([[
          local rt = assert(load(%q, {}))
          weft.timeout(rt:%s_op "x", 0.05):perform()
          io.write "ended"  -- flushed by the end alone
          %s]]):format(FOLDER .. "/weft_fixture.js", work, how))
        t.eq(result.out, "ended", result.err)
        t.eq(result.code, status, how .. ": " .. result.err)
      end
    end)
  end
else
  t.test("Node inside this process", function() t.skip "weft was built without libnode" end)
end

-- ---------------------------------------------------------------- what Node's library does

t.test("zlib by callbacks, and in one go", function()
  with_fixture("zlib", function(rt)
    local text = ("compress me "):rep(1000)
    local ok, packed = rt:deflate(text)
    t.truthy(ok, packed)
    t.between(#packed, 1, 200)
    t.returns(t.pack(true, text), rt:inflate(packed))
  end)
end)

t.test("a module of Node's own serves as it is", { memory = 1024 }, function()
  local rt = assert(weft.foreign.node "zlib")
  local ok, packed = rt:deflateSync("compress me")
  t.truthy(ok, packed)
  t.returns(t.pack(true, "compress me"), rt:inflateSync(packed))
  rt:unload()
end)

t.test("fetch asks a server of ours", function()
  with_fixture("client", function(rt)
    local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
    local _, port = listener:address()
    local function serve(stream)
      local path = assert(stream:read_some()):match "^GET (%S+)"
      stream:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#path, path))
      stream:close()
    end
    weft.scope(function(s)
      s:daemon(function() while true do s:spawn(serve, assert(listener:accept())) end end)
      for i = 1, 10 do
        s:spawn(function()
          t.returns(t.pack(true, "200 /page/" .. i), rt:get(("http://127.0.0.1:%d/page/%d"):format(port, i)))
        end)
      end
    end)
    listener:close()
  end)
end)

-- A folder with the package semver from npm's registry; else npm's own copy of it.
local function folder_with_semver()
  local folder = os.tmpname()
  os.remove(folder)
  local script = ([[
    mkdir -p %s && cd %s && cp %s/weft_module.mjs . || exit
    timeout 20 npm install --no-audit --no-fund --silent semver@7 >/dev/null 2>&1 && exit
    rm -rf node_modules && mkdir node_modules || exit
    cd "$(npm root -g)/npm/node_modules" && cp -r semver lru-cache "$OLDPWD/node_modules/"]])
    :format(folder, folder, "$OLDPWD/" .. FOLDER)
  if FOLDER:sub(1, 1) == "/" then script = script:gsub("%$OLDPWD/", "") end
  return folder, t.shell(script)
end

t.test("a package from npm, used by an ECMAScript module", { memory = 1024 }, function()
  local folder, made = folder_with_semver()
  if made.code ~= 0 then t.skip("no package semver: " .. made.err) end
  local rt = assert(weft.foreign.node(folder .. "/weft_module.mjs"))
  t.returns(t.pack(true, "true"), rt:satisfies("20.1.0 >=18"))
  t.returns(t.pack(true, "false"), rt:satisfies("16.1.0 >=18"))
  local ok, _, err = rt:_private()
  t.eq(ok, false)
  t.contains(err, "_private")
  rt:unload()
  t.shell("rm -r " .. folder)
end)

t.test("options are checked", function()
  t.misuse("unknown option 'threads'", function() weft.foreign.node("m", { threads = 1 }) end)
  t.misuse("bad argument #1", function() weft.foreign.node({}) end)
end)
