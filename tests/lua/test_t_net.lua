-- SPDX-License-Identifier: MIT
-- t.Net: sockets, addresses and interfaces, as far as loop programs use them.

local t = require "harness"
local weft = require "weft"
local Net = require "t.Net"
local Loop = require "t.Loop"
local Buffer = require "t.Buffer"

local Socket, Address, Interface = Net.Socket, Net.Address, Net.Interface

local function both(name, f)
  t.test(name .. " (in a fiber)", f)
  t.outside(name, f)
end

local function close_all(...)
  for _, s in ipairs { ... } do s:close() end
end

-- A connected pair, and the server socket.
local function connected()
  local server, address = Socket.listen("127.0.0.1", 0)
  local client = assert(Socket.connect(address))
  return client, assert(server:accept()), server
end

-- f(port) of a port that is free until another program takes it: until f gives something true.
local function at_port(f)
  for _ = 1, 20 do
    local s, a = Socket.bind "127.0.0.1"
    s:close()
    if f(a.port) then return end
  end
  t.fail "all ports are taken"
end

-- ---------------------------------------------------------------- addresses

t.test("addresses", function()
  local a = Address("127.0.0.1", 80)
  t.same({ a.ip, a.port, a.family }, { "127.0.0.1", 80, "AF_INET" })
  t.returns(t.pack("127.0.0.1", 80), a:get())
  t.match(tostring(a), "^t%.Net%.Address{127%.0%.0%.1:80}: 0x%x+$")
  local six = Address("[0:0::1]", 8000)
  t.same({ six.ip, six.port, six.family }, { "::1", 8000, "AF_INET6" })
  t.match(tostring(six), "^t%.Net%.Address{%[::1%]:8000}: 0x%x+$")
  t.eq(Address "/tmp/x".family, "AF_UNIX")
  local any = Address()
  t.same({ any.ip, any.port }, { "0.0.0.0", 0 })
  t.eq(Address(8080).port, 8080)
  t.eq(Address "localhost".ip, "127.0.0.1")
  t.truthy(a == Address("127.0.0.1", 80))
  t.falsy(a == Address("127.0.0.1", 81))
  t.falsy(a == Address("127.0.0.2", 80))
  any.ip, any.port = "::1", 5
  t.same({ any.ip, any.port, any.family }, { "::1", 5, "AF_INET6" })
  a:set("10.0.0.1", 9)
  t.returns(t.pack("10.0.0.1", 9), a:get())
  t.misuse("an address expected, got 'example.org'", function() Address "example.org" end)
  t.misuse("at most 65535", function() Address("127.0.0.1", 65536) end)
  t.misuse("string expected, got table", function() Address {} end)
  t.misuse("no field 'family' to set", function() a.family = "AF_INET" end)
end)

t.test("interfaces", function()
  local list = Interface.list()
  local loopback
  for name, i in pairs(list) do
    t.eq(i.name, name)
    if i.flags.IFF_LOOPBACK then loopback = i end
  end
  t.eq(loopback.AF_INET.address.ip, "127.0.0.1")
  t.eq(loopback.AF_INET.netmask.ip, "255.0.0.0")
  t.eq(loopback.address.ip, "127.0.0.1")
  t.eq(Interface(loopback.name).name, loopback.name)
  local default = Interface.default()
  t.eq(Interface "default".name, default.name)
  t.eq(type(default.address.ip), "string")
  t.eq(Interface "no such interface", nil)
end)

-- ---------------------------------------------------------------- making sockets

t.test("Socket, by protocol, family and type", function()
  for arguments, want in pairs {
    [{}] = { "tcp", "AF_INET", "SOCK_STREAM" },
    [{ "tcp" }] = { "tcp", "AF_INET", "SOCK_STREAM" },
    [{ "udp" }] = { "udp", "AF_INET", "SOCK_DGRAM" },
    [{ "UDP", "ip6" }] = { "udp", "AF_INET6", "SOCK_DGRAM" },
    [{ "IPPROTO_TCP", "AF_INET", "SOCK_STREAM" }] = { "tcp", "AF_INET", "SOCK_STREAM" },
    [{ "udp", "unix", "dgram" }] = { "unix", "AF_UNIX", "SOCK_DGRAM" },
  } do
    local s, message, code = Socket(arguments[1], arguments[2], arguments[3])
    if s or code ~= "EAFNOSUPPORT" then
      assert(s, message)
      t.same({ s.protocol, s.family, s.type }, want)
      t.match(tostring(s), "^t%.Net%.Socket{%d+}: 0x%x+$")
      t.eq(type(s.descriptor), "number")
      s:close()
      t.eq(s.descriptor, nil)
      t.match(tostring(s), "^t%.Net%.Socket{closed}: 0x%x+$")
      t.returns(t.pack(), s:close())
    end
  end
  t.misuse("unknown 'carrier pigeon'", function() Socket "carrier pigeon" end)
end)

both("bind, in all its forms", function()
  local s, a = Socket.bind()
  t.eq(a.ip, "0.0.0.0")
  t.truthy(a.port > 0)
  local again, message, code = Socket.bind("0.0.0.0", a.port)
  t.eq(again, nil)
  t.match(message, "in use")
  t.eq(code, "EADDRINUSE")
  s:close()
  s, a = Socket.bind "127.0.0.1"
  t.eq(a.ip, "127.0.0.1")
  s:close()
  at_port(function(port)
    s, a = Socket.bind(port)
    if not s then return end
    t.same({ a.ip, a.port }, { "0.0.0.0", port })
    s:close()
    return true
  end)
  local mine = Address("127.0.0.1", 0)
  s, a = Socket.bind(mine)
  t.truthy(rawequal(a, mine))
  t.truthy(mine.port > 0)
  s:close()
  s = assert(Socket "udp")
  a = s:bind("127.0.0.1", 0)
  t.truthy(a.port > 0)
  s:close()
  s = assert(Socket "udp")
  t.eq(s:bind().ip, "0.0.0.0")
  s:close()
end)

both("listen, in all its forms", function()
  local function serves(s, a)
    local c = assert(Socket.connect(a.ip == "0.0.0.0" and Address("127.0.0.1", a.port) or a))
    local peer, from = s:accept()
    t.eq(from.ip, "127.0.0.1")
    close_all(c, peer, s)
    return a
  end
  t.eq(serves(Socket.listen()).ip, "0.0.0.0")
  serves(Socket.listen(5))
  serves(Socket.listen "127.0.0.1")
  for _, listen in ipairs {
    function(port) return Socket.listen(port, 5) end,
    function(port) return Socket.listen("127.0.0.1", port) end,
    function(port) return Socket.listen("127.0.0.1", port, 5) end,
  } do
    at_port(function(port)
      local s, a = listen(port)
      return s and t.eq(serves(s, a).port, port)
    end)
  end
  for _, listen in ipairs { function(a) return Socket.listen(a) end, function(a) return Socket.listen(a, 5) end } do
    at_port(function(port)
      local mine = Address("127.0.0.1", port)
      local s, a = listen(mine)
      return s and t.truthy(rawequal(serves(s, a), mine))
    end)
  end
  for _, listen in ipairs {
    function(s) return s:bind("127.0.0.1", 0) and s:listen() end,
    function(s) return s:bind("127.0.0.1", 0) and s:listen(5) end,
    function(s) return s:listen(Address "127.0.0.1") end,
    function(s) return s:listen("127.0.0.1") end,
    function(s) return s:listen("127.0.0.1", 0, 5) end,
  } do
    local s = assert(Socket())
    serves(s, assert(listen(s)))
  end
end)

both("connect: refused, and to somebody", function()
  local s, a = Socket.listen("127.0.0.1", 0)
  local c, to = Socket.connect("127.0.0.1", a.port)
  t.eq(to.port, a.port)
  local d = assert(Socket())
  t.truthy(rawequal(d:connect(a), a))
  local e, local_host = Socket.connect(a.port)
  t.eq(local_host.ip, "127.0.0.1")
  close_all(c, d, e, s)
  local silent, nobody = Socket.bind("127.0.0.1", 0)
  local none, message, code = Socket.connect(nobody)
  t.eq(none, nil)
  t.match(message, "refused")
  t.eq(code, "ECONNREFUSED")
  silent:close()
end)

both("a socket that does not block connects by and by", function()
  local server, address = Socket.listen("127.0.0.1", 0)
  local s = assert(Socket())
  s.nonblock = true
  t.eq(s:connect(address), address)
  local _, writable = Socket.select({}, { s })
  t.eq(writable[1], s)
  t.eq(s.error, 0)
  t.eq(s:send "x", 1)
  close_all(s, server)
end)

-- ---------------------------------------------------------------- data

both("send and recv over TCP", function()
  local a, b, server = connected()
  t.eq(a:send "hello", 5)
  t.returns(t.pack("hello", 5), b:recv())
  t.eq(a:send("hello", 2), 2)
  t.returns(t.pack("h", 1), b:recv(1))
  t.returns(t.pack("e", 1), b:recv())
  local buffer = Buffer "hello, world"
  t.eq(a:send(buffer), 12)
  local into = Buffer(20)
  t.returns(t.pack(true, 12), b:recv(into))
  t.eq(into:read(1, 12), "hello, world")
  t.eq(a:send(buffer:Segment(8, 5)), 5)
  t.returns(t.pack(true, 3), b:recv(into:Segment(11), 3))
  t.eq(into:read(1, 13), "hello, worwor")
  local from = Address()
  t.returns(t.pack("ld", 2), b:recv(from))
  t.eq(from.ip, "127.0.0.1")
  t.eq(a:shutdown "w", true)
  t.returns(t.pack(nil, 0), b:recv())
  t.eq(b:send "still", 5)
  t.returns(t.pack("still", 5), a:recv())
  b:close()
  t.returns(t.pack(nil, 0), a:recv())
  close_all(a, server)
end)

both("a stream that blocks sends all", function()
  local a, b, server = connected()
  local payload = ("TestMessage "):rep(300000)
  local l, seen, sent = Loop(), 0, nil
  l:addHandle(b, "read", function()
    local bytes, n = b:recv()
    if not bytes then return l:removeHandle(b, "read") end
    if bytes ~= payload:sub(seen + 1, seen + n) then error "other bytes" end
    seen = seen + n
  end)
  l:addTask(1, function()
    sent = a:send(payload)
    a:shutdown "write"
  end)
  l:run()
  t.eq(sent, #payload)
  t.eq(seen, #payload)
  close_all(a, b, server)
end)

both("send and recv over UDP", function()
  local a, b = assert(Socket "udp"), assert(Socket "udp")
  local to = b:bind("127.0.0.1", 0)
  t.eq(a:send("hello", to), 5)
  local from = Address()
  t.returns(t.pack("hello", 5), b:recv(from))
  t.eq(from.ip, "127.0.0.1")
  t.eq(b:send("back", from), 4)
  t.returns(t.pack("ba", 2), a:recv(2))
  t.eq(a:send("hello", to, 2), 2)
  local into = Buffer(10)
  t.returns(t.pack(true, 2), b:recv(from, into, 5))
  t.eq(into:read(1, 2), "he")
  a:send("", to)
  t.returns(t.pack("", 0), b:recv())
  local r = t.pack(a:send "nowhere")
  t.eq(r[1], false)
  t.eq(r[3], "EDESTADDRREQ")
  close_all(a, b)
end)

both("without blocking, and in time", function()
  local a, b, server = connected()
  b.nonblock, server.nonblock = true, true
  t.eq(b.nonblock, true)
  t.returns(t.pack(false, "resource temporarily unavailable", "EAGAIN"), b:recv())
  t.returns(t.pack(false, "resource temporarily unavailable", "EAGAIN"), server:accept())
  a.recvtimeout = 5
  t.eq(a.recvtimeout, 5)
  t.returns(t.pack(false, "resource temporarily unavailable", "EAGAIN"), a:recv())
  a.nonblock = true
  local sent = 0
  repeat
    local n, _, code = a:send(("x"):rep(100000))
    if n then sent = sent + n else t.eq(code, "EAGAIN") end
  until not n
  t.truthy(sent > 0)
  close_all(a, b, server)
end)

both("properties", function()
  local s = assert(Socket())
  t.eq(s.reuseaddr, false)
  s.reuseaddr = true
  t.eq(s.reuseaddr, true)
  s.nodelay = true
  t.eq(s.nodelay, true)
  s.recvbuffer = 20000
  t.between(s.recvbuffer, 20000, 100000)
  t.eq(s.error, 0)
  t.eq(s.no_such_thing, nil)
  t.misuse("no property 'colour' to set", function() s.colour = 1 end)
  t.misuse("bad argument #1 to 'recvbuffer' %(number expected, got string%)", function() s.recvbuffer = "x" end)
  t.misuse("bad argument #1 to 'nodelay' %(boolean expected, got number%)", function() s.nodelay = 1 end)
  t.misuse("bad argument #1 to 'nodelay' %(boolean expected", function() s.nodelay = nil end)
  s:close()
  t.misuse("'nodelay' of a closed T.Net.Socket", function() return s.nodelay end)
end)

both("select: who is ready, under their names", function()
  local a, b, server = connected()
  local reads, writes = Socket.select({}, {})
  t.same({ reads, writes }, { {}, {} })
  a:send "x"
  Socket.select({ b }, {})                -- it has arrived
  reads, writes = Socket.select({ server, named = b }, { a })
  t.eq(reads.named, b)
  t.eq(reads[1], nil)
  t.eq(writes[1], a)
  close_all(a, b, server)
end)

both("shutdown, by every name", function()
  for _, how in ipairs { "w", "wr", "write", "SHUT_WR", Socket.SHUT_WR } do
    local a, b, server = connected()
    t.eq(a:shutdown(how), true)
    t.returns(t.pack(nil, 0), b:recv())
    close_all(a, b, server)
  end
  t.eq(Socket[Socket.SHUT_RDWR], "SHUT_RDWR")
  local s = assert(Socket())
  t.eq((s:shutdown "rw"), false)
  t.misuse("unknown direction 'up'", function() s:shutdown "up" end)
  s:close()
end)

both("misuse of recv and send", function()
  local s = assert(Socket "udp")
  t.misuse("bad argument #1 to 'recv' %(max must be smaller than BUFSIZ%)", function() s:recv(8195) end)
  t.misuse("bad argument #2 to 'recv' %(max must be smaller than sink%)", function() s:recv(Buffer(60), 61) end)
  t.misuse("bad argument #1 to 'recv' %(T.Net.Socket expected, got string%)", function() s.recv "x" end)
  t.misuse("bad argument #1 to 'recv' %(number expected, got string%)", function() s:recv "a string" end)
  t.misuse("bad argument #2 to 'recv' %(number expected, got string%)", function() s:recv(Buffer(60), "x") end)
  t.misuse("bad argument #1 to 'send' %(string expected, got no value%)", function() s:send() end)
  t.misuse("bad argument #2 to 'send' %(T.Net.Address expected, got string%)", function() s:send("x", "y") end)
  s:close()
  t.misuse("'recv' of a closed T.Net.Socket", function() s:recv() end)
end)

t.test("other fibers go on while a socket blocks", function()
  local a, b, server = connected()
  local turns = 0
  weft.spawn(function()
    for _ = 1, 5 do
      turns = turns + 1
      weft.yield()
    end
    a:send "x"
  end)
  t.eq(b:recv(), "x")
  t.eq(turns, 5)
  close_all(a, b, server)
end)

t.test("t has them all", function()
  local all = require "t"
  t.eq(all.Net.Socket, Socket)
  t.eq(all.Loop, Loop)
  t.eq(all.Buffer, Buffer)
  t.eq(all.Time, require "t.Time")
end)
