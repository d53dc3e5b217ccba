-- SPDX-License-Identifier: MIT
-- weft.pollable: the readiness of any descriptor.

local t = require "harness"
local weft = require "weft"

-- A connected pair of stream sockets.
local function pair()
  local l = assert(weft.net.socket())
  assert(l:bind("127.0.0.1", 0))
  assert(l:listen())
  local a = assert(weft.net.socket())
  assert(a:connect(l:address()))
  local b = assert(l:accept())
  l:close()
  return a, b
end

local function with_pair(f)
  local a, b = pair()
  f(a, b)
  for _, s in ipairs { a, b } do
    if not s:closed() then s:close() end
  end
end

-- How a fiber fares that waits: a table that gets its results.
local function waiter(f, ...)
  local got = { n = -1 }
  weft.spawn(function(...) -- luacheck: ignore
    local r = t.pack(f(...))
    for k, v in pairs(r) do got[k] = v end
  end, ...)
  return got
end

-- What stands for a socket: itself, its number, and objects that give either.
local stand_ins = {
  socket = function(s) return s end,
  descriptor = function(s) return s:getfd() end,
  ["object with getfd"] = function(s) return { getfd = function() return s:getfd() end } end,
  ["object with pollfd"] = function(s) return { pollfd = function() return s end } end,
}

for name, stand_in in pairs(stand_ins) do
  t.test("readable waits until there is something: " .. name, function()
    with_pair(function(a, b)
      local p = assert(weft.pollable(stand_in(a)))
      t.eq(p:readable_op():try(), false)
      local got = waiter(p.readable, p)
      t.settle()
      t.eq(got.n, -1)
      b:send("x")
      while got.n < 0 do weft.yield() end
      t.returns(t.pack(true), got[1])
      t.eq(p:readable(), true, "a level: nobody has read it")
      t.eq(a:recv(), "x")
      t.eq(p:readable_op():try(), false)
      t.eq(p:writable(), true)
      p:close()
    end)
  end)

  t.test("the end and a hang-up are readable: " .. name, function()
    with_pair(function(a, b)
      local p = assert(weft.pollable(stand_in(a)))
      local got = waiter(p.readable, p)
      t.settle()
      b:close()
      while got.n < 0 do weft.yield() end
      t.eq(got[1], true)
      t.returns(t.pack(nil), a:recv())
      p:close()
    end)
  end)

  t.test("writable waits until there is room: " .. name, function()
    with_pair(function(a, b)
      local p = assert(weft.pollable(stand_in(a)))
      local chunk, sent = ("x"):rep(65536), 0
      local got
      repeat                              -- an acknowledgement that comes late makes room once more
        while p:writable_op():try() do sent = sent + assert(a:send(chunk)) end
        weft.sleep(0.1)
        got = waiter(p.writable, p)
        t.settle()
      until got.n == -1
      while sent > 0 do sent = sent - #assert(b:recv()) end
      while got.n < 0 do weft.yield() end
      t.eq(got[1], true)
      p:close()
    end)
  end)

  t.test("many wait on it, in both directions and by several pollables: " .. name, function()
    with_pair(function(a, b)
      local list, done = {}, 0
      for i = 1, 3 do
        list[i] = assert(weft.pollable(stand_in(a)))
        for _ = 1, 3 do
          weft.spawn(function()
            t.eq(list[i]:readable(), true)
            done = done + 1
          end)
        end
        t.eq(list[i]:writable(), true)
      end
      t.settle()
      t.eq(done, 0)
      b:send("x")
      while done < 9 do weft.yield() end
      for i = 1, 3 do list[i]:close() end
    end)
  end)

  t.test("closing it wakes who waits by it, and nobody else: " .. name, function()
    with_pair(function(a, b)
      local p, other = assert(weft.pollable(stand_in(a))), assert(weft.pollable(stand_in(a)))
      local got, others = waiter(p.readable, p), waiter(other.readable, other)
      local reader = waiter(a.recv, a)
      t.settle()
      p:close()
      t.settle()
      t.fails("closed", got[1], got[2], got[3])
      t.eq(others.n, -1)
      t.eq(reader.n, -1)
      t.misuse("closed pollable", function() p:readable_op() end)
      b:send("x")
      b:shutdown("w")
      while others.n < 0 or reader.n < 0 do weft.yield() end
      t.eq(others[1], true)
      t.eq(reader[1], "x")
      other:close()
    end)
  end)

  t.test("lost in a choice it leaves nothing behind: " .. name, function()
    with_pair(function(a, b)
      local p = assert(weft.pollable(stand_in(a)))
      for _ = 1, t.scale(2000, 100) do
        t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(p:readable_op(), 0.00001):perform())
      end
      b:send("x")
      t.eq(weft.timeout(p:readable_op(), 60):perform(), true)
      p:close()
    end)
  end)
end

t.test("a close of the object wakes who waits", function()
  with_pair(function(a)
    local p = assert(weft.pollable(a))
    local got = waiter(p.readable, p)
    t.settle()
    a:close()
    t.settle()
    t.fails("closed", got[1], got[2], got[3])
    t.eq(p:closed(), true)
    t.fails("closed", p:readable())
    t.fails("closed", weft.pollable(a))
  end)
end)

t.test("it does not keep a connection open once nobody waits", function()
  with_pair(function(a, b)
    local p = assert(weft.pollable(a:getfd()))
    weft.timeout(p:readable_op(), 0.001):perform()
    a:close()
    t.returns(t.pack(nil), b:recv())
    p:close()
  end)
end)

t.test("a number that another file has got is that file", function()
  with_pair(function(a, b)
    local fd = a:getfd()
    local p = assert(weft.pollable(fd))
    weft.timeout(p:readable_op(), 0.001):perform()
    a:close()
    local c, d = pair()
    t.eq(c:getfd(), fd)
    local got = waiter(p.readable, p)
    t.settle()
    t.eq(got.n, -1)
    local reader = waiter(c.recv, c)
    t.settle()
    d:send("x")
    while reader.n < 0 do weft.yield() end
    d:send("y")
    while got.n < 0 do weft.yield() end
    t.eq(got[1], true)
    p:close()
    for _, s in ipairs { b, c, d } do
      if not s:closed() then s:close() end
    end
  end)
end)

t.test("streams and listeners", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local lp = assert(weft.pollable(l))
  local got = waiter(lp.readable, lp)
  t.settle()
  t.eq(got.n, -1)
  local client = assert(weft.net.tcp.connect(l:address()))
  while got.n < 0 do weft.yield() end
  t.eq(got[1], true)
  local server = assert(l:accept())
  t.eq(lp:readable_op():try(), false)

  local p = assert(weft.pollable(server))
  local readable = waiter(p.readable, p)
  local reader = waiter(function() return server:read_some() end)
  t.settle()
  client:write("hello")
  while readable.n < 0 or reader.n < 0 do weft.yield() end
  t.eq(reader[1], "hello")
  -- Whoever looks first: the one that reads, or the one that only looks.
  p:close()
  for _, o in ipairs { client, server, l } do o:close() end
end)

t.test("a stream is writable when a write would be taken", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local client = assert(weft.net.tcp.connect(l:address()))
  local server = assert(l:accept())
  local p = assert(weft.pollable(client))
  t.eq(p:writable(), true)
  local size = 8 * 1024 * 1024
  local writer = waiter(function() return client:write(("x"):rep(size)) end)
  t.settle()
  t.eq(p:writable_op():try(), false)
  local writable, second = waiter(p.writable, p), waiter(p.writable, p)
  t.settle()
  t.eq(writable.n, -1)
  local seen = 0
  while seen < size do seen = seen + #assert(server:read_some()) end
  while writable.n < 0 or second.n < 0 or writer.n < 0 do weft.yield() end
  t.eq(writable[1], true)
  t.eq(second[1], true)
  t.eq(writer[1], true)
  for _, o in ipairs { client, server, l } do o:close() end
end)

t.test("a broken stream is writable: a write would tell at once", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local client = assert(weft.net.tcp.connect(l:address()))
  local server = assert(l:accept())
  local p = assert(weft.pollable(client))
  local writer = waiter(function() return client:write(("x"):rep(8 * 1024 * 1024)) end)
  t.settle()
  local writable = waiter(p.writable, p)
  t.settle()
  t.eq(writable.n, -1)
  server:close()
  while writable.n < 0 or writer.n < 0 do weft.sleep(0.001) end
  t.eq(writable[1], true)
  t.eq(writer[1], nil)
  for _, o in ipairs { client, l } do o:close() end
end)

-- ---------------------------------------------------------------- Lua files

t.test("a regular file is always ready", function()
  local f = assert(io.open("/etc/passwd"))
  local p = assert(weft.pollable(f))
  t.eq(p:readable(), true)
  t.eq(p:writable(), true)
  f:close()
  t.fails("closed", p:readable())
  t.fails("closed", weft.pollable(f))
end)

t.test("a pipe is readable when its program has written, and at its end", function()
  local gate = os.tmpname()
  local f = assert(io.popen(("while [ -e %s ]; do sleep 0.01; done; echo one; read x"):format(gate), "r"))
  local p = assert(weft.pollable(f))
  t.eq(p:readable_op():try(), false)
  os.remove(gate)
  t.eq(p:readable(), true)
  t.eq(f:read("*l"), "one")
  t.eq(p:readable(), true)
  t.eq(f:read("*l"), nil)
  f:close()
end)

t.test("what stdio has read ahead is readable, and a descriptor alone does not know", function()
  local path = os.tmpname()
  os.remove(path)
  os.execute("mkfifo " .. path)
  local keeper = assert(io.open(path, "r+"))
  keeper:setvbuf "no"
  local f = assert(io.open(path, "r"))
  keeper:write "one\ntwo\n"
  local p = assert(weft.pollable(f))
  t.eq(p:readable(), true)
  t.eq(f:read("*l"), "one")
  local bare = assert(weft.pollable(p:getfd()))
  t.eq(bare:readable_op():try(), false, "the pipe is empty")
  bare:close()
  t.eq(p:readable(), true)
  t.eq(f:read("*l"), "two")
  t.eq(p:readable_op():try(), false)
  f:close()
  keeper:close()
  os.remove(path)
end)

-- ---------------------------------------------------------------- refusals

t.test("what is no descriptor", function()
  t.fails("EBADF", weft.pollable(100000))
  for _, v in ipairs { {}, "1", true, { getfd = function() return "x" end } } do
    t.misuse("bad argument #1 to 'pollable'", function() weft.pollable(v) end)
  end
  t.misuse("bad argument #1 to 'pollable'", function() weft.pollable() end)
  t.misuse("descriptor expected", function() weft.pollable(-1) end)
  t.misuse("descriptor expected", function() weft.pollable(1.5) end)
  local circle = {}
  circle.pollfd = function() return circle end
  t.misuse("bad argument #1 to 'pollable'", function() weft.pollable(circle) end)
end)

t.test("an error of the object's own method goes on", function()
  t.raises("no such luck", function() weft.pollable { pollfd = function() error "no such luck" end } end)
end)

t.test("a descriptor that was closed meanwhile", function()
  local a, b = pair()
  local p = assert(weft.pollable(a:getfd()))
  a:close()
  b:close()
  t.fails("EBADF", p:readable())
  p:close()
end)

t.outside("waiting needs a fiber", function()
  local p = assert(weft.pollable(0))
  t.misuse("may wait", function() p:readable() end)
  p:close()
end)

t.outside("it outlives its run", function()
  local a, b
  weft.run(function() a, b = pair() end)
  local p = assert(weft.pollable(a:getfd()))
  for _ = 1, 2 do
    weft.run(function()
      t.returns(t.pack(nil, "timeout", "timeout"), weft.timeout(p:readable_op(), 0.001):perform())
    end)
  end
  p:close()
  a:close()
  b:close()
end)

t.test("too many descriptors: told, and nothing is left behind", function()
  if os.getenv "WEFT_TEST_SANITIZED" then t.skip "the sanitizers want descriptors of their own" end
  local r = t.program([[
    local weft = require "weft"
    weft.run(function()
      local s = assert(weft.net.socket { type = "datagram" })
      assert(s:bind("127.0.0.1", 0))
      local p = assert(weft.pollable(s:getfd()))
      local list = {}
      repeat list[#list + 1] = io.open "/dev/null" until #list == 1000 or not io.open "/dev/null"
      print(select(3, p:readable()))
    end)
  ]], { env = "ulimit -n 30;" })
  t.eq(r.err, "")
  t.match(r.out, "^EMFILE\n")
end)
