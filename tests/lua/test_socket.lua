-- SPDX-License-Identifier: MIT
-- weft.net.socket: stream and datagram sockets over IPv4, IPv6 and paths.

local t = require "harness"
local weft = require "weft"

local socket = weft.net.socket

local function close_all(...)
  for _, s in ipairs { ... } do
    if not s:closed() then s:close() end
  end
end

local paths = 0
local function new_path()
  paths = paths + 1
  local path = ("/tmp/weft-test-%d-%d"):format(t.pid(), paths)
  os.remove(path)                         -- of a process of this number that was killed
  return path
end

-- Where to bind a socket of each family.
local families = {
  ip4 = function() return "127.0.0.1", 0 end,
  ip6 = function() return "::1", 0 end,
  unix = new_path,
}

local function open(family, type)
  local s = assert(socket { family = family, type = type })
  local ok, message, code = s:bind(families[family]())
  if ok then return s end
  s:close()
  if family == "ip6" then t.skip("no IPv6: " .. code) end
  error(message)
end

local function unlink(family, s)
  if family == "unix" then os.remove((s:address())) end
end

local function waiter(f, ...)
  local got = { n = -1 }
  weft.spawn(function(...)
    local r = t.pack(f(...))
    for k, v in pairs(r) do got[k] = v end
  end, ...)
  return got
end

for family in pairs(families) do
  t.test("a stream there and back: " .. family, function()
    local l = open(family, "stream")
    assert(l:listen())
    local accepted = waiter(l.accept, l)
    local a = assert(socket { family = family })
    t.eq(a:connect(l:address()), true)
    while accepted.n < 0 do weft.yield() end
    local b = accepted[1]
    t.returns(t.pack(l:address()), a:peer_address())
    t.returns(t.pack(l:address()), b:address())
    t.eq(a:send("hello"), 5)
    t.eq(b:recv(2), "he")
    t.eq(b:recv(), "llo")
    local got = waiter(a.recv, a)
    t.settle()
    t.eq(got.n, -1)
    t.eq(b:send(12), 2)
    while got.n < 0 do weft.yield() end
    t.eq(got[1], "12")
    t.eq(a:shutdown("w"), true)
    t.returns(t.pack(nil), b:recv())
    unlink(family, l)
    close_all(a, b, l)
  end)

  t.test("datagrams there and back: " .. family, function()
    local a, b = open(family, "datagram"), open(family, "datagram")
    t.eq(a:sendto("one", b:address()), 3)
    t.eq(a:sendto("", b:address()), 0)
    local got = t.pack(b:recvfrom())
    t.same(got, t.pack("one", a:address()))
    t.eq(b:recvfrom(), "")
    local waits = waiter(b.recvfrom, b, 2)
    t.settle()
    t.eq(waits.n, -1)
    a:sendto("three", b:address())
    while waits.n < 0 do weft.yield() end
    t.eq(waits[1], "th", "cut at max")
    t.eq(a:connect(b:address()), true)
    t.eq(a:send("four"), 4)
    t.eq(b:recv(), "four")
    unlink(family, a)
    unlink(family, b)
    close_all(a, b)
  end)
end

t.test("a name without a file", function()
  local name = ("\0weft-test-%d"):format(t.pid())
  local l = assert(socket { family = "unix" })
  assert(l:bind(name))
  assert(l:listen(1))
  t.eq((l:address()), name)
  local a = assert(socket { family = "unix" })
  t.eq((a:address()), "")
  assert(a:connect(name))
  close_all(a, assert(l:accept()), l)
end)

t.test("an IPv4 address for an IPv6 socket is a mapped one", function()
  local a = open("ip6", "datagram")
  local b = assert(socket { family = "ip6", type = "datagram" })
  assert(b:bind("*", 0))
  local c = open("ip4", "datagram")
  b:sendto("x", c:address())
  local _, host = c:recvfrom()
  t.eq(host, "127.0.0.1")
  close_all(a, b, c)
end)

t.test("a refused connection, and one that nobody asked for", function()
  local l = open("ip4", "stream")         -- bound, so that the port is no other's, and not listening
  local a = assert(socket())
  t.fails("ECONNREFUSED", a:connect(l:address()))
  t.fails("ENOTCONN", a:peer_address())
  close_all(a, l)
end)

t.test("an address in use", function()
  local l = open("ip4", "stream")
  assert(l:listen())
  local other = assert(socket())
  t.fails("EADDRINUSE", other:bind(l:address()))
  close_all(l, other)
end)

t.test("a connection that is lost in a choice goes on", function()
  local l = open("ip4", "stream")
  assert(l:listen())
  local a = assert(socket())
  local op = a:connect_op(l:address())
  if not op:try() then t.eq(op:perform(), true) end
  t.eq(a:send("x"), 1)
  local b = assert(l:accept())
  t.eq(b:recv(), "x")
  close_all(a, b, l)
end)

t.test("a lost recv and a lost accept lose nothing", function()
  local l = open("ip4", "stream")
  assert(l:listen())
  for _ = 1, 50 do weft.timeout(l:accept_op(), 0):perform() end
  local a = assert(socket())
  assert(a:connect(l:address()))
  local b = assert(l:accept())
  local sent, seen = "", ""
  for i = 1, t.scale(2000, 200) do
    a:send(tostring(i % 10))
    sent = sent .. tostring(i % 10)
    seen = seen .. weft.choose(b:recv_op(), weft.always ""):perform()
  end
  a:shutdown "w"
  local rest = b:recv()
  while rest do
    seen = seen .. rest
    rest = b:recv()
  end
  t.eq(seen, sent)
  close_all(a, b, l)
end)

t.test("a stream sends what it has room for", function()
  local l = open("ip4", "stream")
  assert(l:listen())
  local a = assert(socket())
  assert(a:connect(l:address()))
  local b = assert(l:accept())
  local all, sent = ("0123456789abcdef"):rep(65536), 0
  local received = waiter(function()
    local n = 0
    while true do
      local bytes = b:recv()
      if not bytes then return n end
      if bytes ~= all:sub(n + 1, n + #bytes) then error "other bytes arrived" end
      n = n + #bytes
    end
  end)
  while sent < #all do sent = sent + assert(a:send(all:sub(sent + 1))) end
  a:shutdown "w"
  while received.n < 0 do weft.yield() end
  t.eq(received[1], #all)
  close_all(a, b, l)
end)

t.test("a close wakes who waits", function()
  local l = open("ip4", "stream")
  assert(l:listen())
  local got = waiter(l.accept, l)
  t.settle()
  l:close()
  t.settle()
  t.fails("closed", got[1], got[2], got[3])
  t.eq(l:closed(), true)
  t.misuse("'accept' of a closed socket", function() l:accept() end)
  t.misuse("'close' of a closed socket", function() l:close() end)
end)

t.test("a peer that has gone", function()
  local l = open("ip4", "stream")
  assert(l:listen())
  local a = assert(socket())
  assert(a:connect(l:address()))
  local b = assert(l:accept())
  a:send "unread"
  b:close()
  local code
  repeat code = select(3, a:send "x") until code
  t.truthy(code == "EPIPE" or code == "ECONNRESET", code)
  close_all(a, l)
end)

t.test("a path whose queue is full is told, since nothing says when it is not", function()
  local to, from = open("unix", "datagram"), assert(socket { family = "unix", type = "datagram" })
  local n, message, code
  repeat n, message, code = from:sendto("x", (to:address())) until not n
  t.fails("EAGAIN", n, message, code)
  unlink("unix", to)
  close_all(to, from)
  local l, list = open("unix", "stream"), {}
  assert(l:listen(0))
  repeat
    local s = assert(socket { family = "unix" })
    list[#list + 1] = s
    n, message, code = s:connect((l:address()))
  until not n
  t.fails("EAGAIN", n, message, code)
  unlink("unix", l)
  close_all(l)
  for _, s in ipairs(list) do s:close() end
end)

t.test("options", function()
  local s = assert(socket())
  t.eq(s:option "reuse_address", false)
  t.eq(s:option("reuse_address", true), true)
  t.eq(s:option "reuse_address", true)
  t.eq(s:option("nodelay", true), true)
  t.eq(s:option "nodelay", true)
  t.eq(s:option("receive_buffer", 20000), true)
  t.between(s:option "receive_buffer", 20000, 100000)
  t.eq(s:option("receive_timeout", 1.5), true)
  t.eq(s:option "receive_timeout", 1.5)
  t.eq(s:option "error", 0)
  for _, name in ipairs { "broadcast", "debug", "dont_route", "keepalive", "oob_inline", "reuse_port" } do
    t.eq(s:option(name), false, name)
  end
  for _, name in ipairs { "max_segment", "receive_low", "send_buffer", "send_low", "send_timeout" } do
    t.eq(type(s:option(name)), "number", name)
  end
  t.misuse("there is no option 'colour'", function() s:option "colour" end)
  t.misuse("boolean expected, got number", function() s:option("nodelay", 1) end)
  t.misuse("out of range", function() s:option("receive_buffer", -1) end)
  close_all(s)
end)

t.test("misuse", function()
  local s = assert(socket())
  t.misuse("IPv4 address expected, got 'example.org'", function() s:bind("example.org", 80) end)
  t.misuse("IPv4 address expected, got '::1'", function() s:connect("::1", 80) end)
  t.misuse("port from 0 to 65535", function() s:bind("127.0.0.1", 65536) end)
  t.misuse("argument #2 to 'bind' %(number expected", function() s:bind "127.0.0.1" end)
  t.misuse("argument #1 to 'send' %(string or buffer expected", function() s:send() end)
  t.misuse("at least 1 expected", function() s:recv(0) end)
  t.misuse('"r", "w" or "rw" expected', function() s:shutdown "x" end)
  t.misuse("unknown option 'colour' of socket", function() socket { colour = 1 } end)
  t.misuse("there is no 'ip5'", function() socket { family = "ip5" } end)
  t.misuse("string expected, got number", function() socket { type = 1 } end)
  close_all(s)
  local u = assert(socket { family = "unix" })
  t.misuse("too long", function() u:bind(("x"):rep(200)) end)
  close_all(u)
end)

t.test("tostring", function()
  local s = assert(socket { family = "ip6", type = "datagram" })
  t.match(tostring(s), "^weft%.socket: ip6 datagram, descriptor %d+$")
  s:close()
  t.eq(tostring(s), "weft.socket: ip6 datagram, closed")
end)

t.test("parse_address", function()
  t.returns(t.pack("127.0.0.1", "ip4"), weft.net.parse_address "127.0.0.1")
  t.returns(t.pack("::1", "ip6"), weft.net.parse_address "0:0::0:1")
  t.returns(t.pack(), weft.net.parse_address "localhost")
  t.misuse("string expected", function() weft.net.parse_address(1) end)
end)

t.test("interfaces: there is a way back to this machine", function()
  local found
  for _, i in ipairs(assert(weft.net.interfaces())) do
    t.eq(type(i.name), "string")
    t.eq(select(2, weft.net.parse_address(i.address)), i.family)
    if i.loopback and i.address == "127.0.0.1" then found = i end
  end
  t.eq(found.family, "ip4")
  t.eq(found.netmask, "255.0.0.0")
  t.eq(found.up, true)
end)

t.test("the wall clock", function()
  local before = os.time()
  t.between(weft.time(), before - 1, os.time() + 2)  -- os.time is cut off, and goes some ms behind: a tick
end)

t.outside("it outlives its run", function()
  local l, a
  weft.run(function()
    l = open("ip4", "stream")
    assert(l:listen())
    a = assert(socket())
    assert(a:connect(l:address()))
  end)
  weft.run(function()
    local b = assert(l:accept())
    t.eq(b:send "later", 5)
    t.eq(a:recv(), "later")
    close_all(a, b, l)
  end)
end)
