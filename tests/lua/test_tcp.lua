-- SPDX-License-Identifier: MIT
-- TCP: listen, connect, accept, read, write, shutdown, close.

local t = require "harness"
local weft = require "weft"

local tcp = weft.net.tcp

-- LuaJIT may find an old string in a dead slot of a stack, and keeps it for a while.
local BIG = { memory = t.jit and 65536 or 1024 }

-- A listener and a connected pair; f(client, server, listener). Closes what is still open.
local function with_pair(f)
  local l = assert(tcp.listen("127.0.0.1", 0))
  local client = assert(tcp.connect(l:address()))
  local server = assert(l:accept())
  f(client, server, l)
  t.pcall(client.close, client)
  t.pcall(server.close, server)
  t.pcall(l.close, l)
end

local function read_all(stream)
  local parts = {}
  while true do
    local bytes, message, code = stream:read_some()
    if not bytes then return table.concat(parts), message, code end
    parts[#parts + 1] = bytes
  end
end

local function read_exactly(stream, n)
  local parts = {}
  while n > 0 do
    local bytes = assert(stream:read_some(n))
    t.between(#bytes, 1, n)
    parts[#parts + 1] = bytes
    n = n - #bytes
  end
  return table.concat(parts)
end

-- The status of a fiber that waits for its stream; the kernel may just have given it a little more room.
local function at_rest(fiber)
  t.eventually(function() return fiber:status() ~= "runnable" end)
  return fiber:status()
end

-- f(host, port) of an address at which nobody listens: it is taken, but by a socket that does not.
local function with_nobody(f)
  local s = assert(weft.net.socket())
  assert(s:bind("127.0.0.1", 0))
  f(s:address())
  s:close()
end

-- A listener at the address of one that is closed with close(listener): at once, unless another program is quicker.
local function listen_again(close)
  for _ = 1, 20 do
    local l = assert(tcp.listen("127.0.0.1", 0))
    local host, port = l:address()
    close(l, host, port)
    local again, message = tcp.listen(host, port)
    if again then return again end
    t.contains(message, "in use")
  end
  t.fail "a port stays in use"
end

-- ---------------------------------------------------------------- addresses

t.test("port 0 takes a free port, and address names it", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  t.eq(host, "127.0.0.1")
  t.eq(type(port), "number")
  t.between(port, 1, 65535)
  if t.has_integers then t.eq(math.type(port), "integer") end
  l:close()
end)

t.test("both ends know both addresses", function()
  with_pair(function(client, server, l)
    local host, port = l:address()
    t.returns(t.pack(host, port), client:peer_address())
    t.returns(t.pack(host, port), server:address())
    local ch, cp = client:address()
    t.eq(ch, "127.0.0.1")
    t.returns(t.pack(ch, cp), server:peer_address())
    t.ne(cp, port)
  end)
end)

t.test("localhost by name", function()
  local l = assert(tcp.listen("localhost", 0))
  local _, port = l:address()
  local client = assert(tcp.connect("localhost", port))
  local server = assert(l:accept())
  assert(client:write("hi"))
  t.eq(server:read_some(), "hi")
  client:close()
  server:close()
  l:close()
end)

t.test("localhost over IPv4 alone, when connect has two addresses to try", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local _, port = l:address()
  local client = assert(tcp.connect("localhost", port))
  assert(l:accept()):close()
  client:close()
  l:close()
end)

t.test("every address of the machine", function()
  for _, host in ipairs { "0.0.0.0", "*" } do
    local l, message = tcp.listen(host, 0)
    if host == "0.0.0.0" then assert(l, message) end
    if l then
      local _, port = l:address()
      local client = assert(tcp.connect("127.0.0.1", port))
      assert(l:accept()):close()
      client:close()
      l:close()
    end
  end
end)

t.test("IPv6", function()
  local l, message, code = tcp.listen("::1", 0)
  if not l then
    t.eq(type(message), "string")
    t.truthy(code == "EADDRNOTAVAIL" or code == "EAFNOSUPPORT", code)
    t.skip "no IPv6 here"
  end
  local host, port = l:address()
  t.eq(host, "::1")
  local client = assert(tcp.connect("::1", port))
  local server = assert(l:accept())
  t.eq((client:peer_address()), "::1")
  assert(client:write("six"))
  t.eq(server:read_some(), "six")
  client:close()
  server:close()
  l:close()
end)

t.test("a name that does not exist", function()
  local v, message, code = tcp.connect("no-such-host.invalid", 80)
  t.eq(v, nil)
  t.contains(message, "no-such-host.invalid")
  t.eq(type(code), "string")
  v, message = tcp.listen("no-such-host.invalid", 0)
  t.eq(v, nil)
  t.eq(type(message), "string")
end)

t.test("other fibers run while a name is resolved", function()
  local turns = 0
  local stop = false
  weft.spawn(function()
    while not stop do
      turns = turns + 1
      weft.yield()
    end
  end)
  tcp.connect("no-such-host.invalid", 80)
  stop = true
  t.truthy(turns > 0)
end)

-- ---------------------------------------------------------------- connect, listen: errors

t.test("connection refused", function()
  with_nobody(function(host, port)
    local message = t.fails("ECONNREFUSED", tcp.connect(host, port))
    t.match(message:lower(), "refused")
    t.contains(message, tostring(port))
  end)
end)

t.test("a port in use", function()
  listen_again(function(l, host, port)
    t.fails("EADDRINUSE", tcp.listen(host, port))
    l:close()
  end):close()
end)

t.test("a port is free again at once after connections were served", function()
  listen_again(function(l, host, port)
    local c = assert(tcp.connect(host, port))
    local s = assert(l:accept())
    s:close()                             -- the server closes first: TIME_WAIT on its side
    t.eq(c:read_some(), nil)
    c:close()
    l:close()
  end):close()
end)

t.test("an address that is not ours", function()
  local v, message, code = tcp.listen("192.0.2.1", 0)
  t.eq(v, nil)
  t.eq(type(message), "string")
  t.eq(code, "EADDRNOTAVAIL")
end)

t.test("arguments are checked at the caller's line", function()
  t.misuse("bad argument #1 to '.-listen'", function() tcp.listen() end)
  t.misuse("bad argument #1 to '.-listen'", function() tcp.listen({}, 0) end)
  t.misuse("bad argument #2 to '.-listen'", function() tcp.listen("127.0.0.1") end)
  t.misuse("bad argument #2 to '.-listen'", function() tcp.listen("127.0.0.1", -1) end)
  t.misuse("bad argument #2 to '.-listen'", function() tcp.listen("127.0.0.1", 65536) end)
  t.misuse("bad argument #2 to '.-listen'", function() tcp.listen("127.0.0.1", 80.5) end)
  t.misuse("bad argument #1 to '.-connect'", function() tcp.connect() end)
  t.misuse("bad argument #2 to '.-connect'", function() tcp.connect("127.0.0.1", "http") end)
  t.misuse("bad argument #2 to '.-connect'", function() tcp.connect("127.0.0.1", 70000) end)
  t.misuse("unknown option.-bcaklog", function() tcp.listen("127.0.0.1", 0, { bcaklog = 5 }) end)
  t.misuse("unknown option.-timout", function() tcp.connect("127.0.0.1", 1, { timout = 5 }) end)
end)

t.outside("connect outside run names the cure", function()
  t.misuse("weft%.run", function() tcp.connect("127.0.0.1", 1) end)
end)

-- ---------------------------------------------------------------- bytes

t.test("echo", function()
  with_pair(function(client, server)
    local f = weft.spawn(function()
      while true do
        local bytes = server:read_some()
        if not bytes then break end
        assert(server:write(bytes))
      end
      server:close()
    end)
    for _, text in ipairs { "a", "hello", ("x"):rep(1000), "\0\1\2\255\n\r" } do
      t.returns(t.pack(true), client:write(text))
      t.eq(read_exactly(client, #text), text)
    end
    t.returns(t.pack(true), client:shutdown("w"))
    t.eq(client:read_some(), nil)
    f:join()
  end)
end)

t.test("read_some takes at most max", function()
  with_pair(function(client, server)
    assert(client:write("abcdefghij"))
    t.eq(server:read_some(3), "abc")
    t.eq(server:read_some(1), "d")
    t.eq(server:read_some(100), "efghij")
  end)
end)

t.test("read_some checks max", function()
  with_pair(function(_, server)
    t.misuse("bad argument #1 to 'read_some'", function() server:read_some("many") end)
    t.misuse("bad argument #1 to 'read_some'", function() server:read_some(-1) end)
    t.misuse("bad argument #1 to 'read_some'", function() server:read_some(0) end)
    t.misuse("bad argument #1 to 'read_some'", function() server:read_some(1.5) end)
  end)
end)

t.test("write checks its argument", function()
  with_pair(function(client, server)
    t.misuse("bad argument #1 to 'write'", function() client:write() end)
    t.misuse("bad argument #1 to 'write'", function() client:write({}) end)
    t.misuse("bad argument #1 to 'write_op'", function() client:write_op(nil) end)
    assert(client:write(42))              -- a number is a string, as in io.write
    t.eq(server:read_some(), "42")
  end)
end)

t.test("an empty write", function()
  with_pair(function(client, server)
    t.returns(t.pack(true), client:write(""))
    assert(client:write("x"))
    t.eq(server:read_some(), "x")
  end)
end)

t.test("32 mebibytes with back-pressure", BIG, function()
  with_pair(function(client, server)
    local size = 32 * 1024 * 1024         -- well above what the kernel's buffers take
    local block = {}
    for i = 0, 255 do block[i + 1] = string.char(i) end
    local pattern = table.concat(block)
    local data = pattern:rep(math.floor(size / 256)) .. "tail"
    local writer = weft.spawn(function()
      assert(client:write(data))
      assert(client:shutdown("w"))
      return "written"
    end)
    weft.sleep(0.05)
    t.eq(at_rest(writer), "parked", "the writer waits for the reader")
    local got = read_all(server)
    t.eq(writer:join(), "written")
    t.eq(#got, #data)
    t.truthy(got == data, "the bytes are the same")
  end)
end)

t.test("many small writes arrive in order", function()
  with_pair(function(client, server)
    local n = t.scale(20000, 200)
    weft.spawn(function()
      for i = 1, n do assert(client:write(i .. ",")) end
      client:shutdown("w")
    end)
    local expect = {}
    for i = 1, n do expect[i] = i .. "," end
    t.truthy(read_all(server) == table.concat(expect))
  end)
end)

t.test("both directions at once", function()
  with_pair(function(client, server)
    local data = ("0123456789abcdef"):rep(t.scale(65536, 4096))
    local function both(stream)
      local w = weft.spawn(function()
        assert(stream:write(data))
        assert(stream:shutdown("w"))
      end)
      local got = read_all(stream)
      w:join()
      return got == data
    end
    local f = weft.spawn(both, server)
    t.eq(both(client), true)
    t.eq(f:join(), true)
  end)
end)

t.test("two writers do not mix their writes", BIG, function()
  with_pair(function(client, server)
    local a, b = ("a"):rep(3000000), ("b"):rep(3000000)
    weft.scope(function(s)
      s:spawn(function() assert(client:write(a)) end)
      s:spawn(function() assert(client:write(b)) end)
      local got = read_exactly(server, #a + #b)
      t.truthy(got == a .. b or got == b .. a, "each write is whole")
    end)
  end)
end)

-- ---------------------------------------------------------------- ends

t.test("the end is nil, again and again", function()
  with_pair(function(client, server)
    assert(client:write("last words"))
    client:close()
    t.eq(server:read_some(), "last words")
    t.returns(t.pack(nil), server:read_some())
    t.returns(t.pack(nil), server:read_some())
  end)
end)

t.test("half-close: the other direction goes on", function()
  with_pair(function(client, server)
    assert(client:write("question"))
    t.returns(t.pack(true), client:shutdown("w"))
    t.eq(read_all(server), "question")
    assert(server:write("answer"))
    server:close()
    t.eq(read_all(client), "answer")
  end)
end)

t.test("write after shutdown", function()
  with_pair(function(client)
    assert(client:shutdown("w"))
    local v, message, code = client:write("x")
    t.eq(v, nil)
    t.eq(type(message), "string")
    t.eq(code, "EPIPE")
  end)
end)

t.test("shutdown checks its argument", function()
  with_pair(function(client)
    t.misuse("bad argument #1 to 'shutdown'", function() client:shutdown("x") end)
    t.misuse("bad argument #1 to 'shutdown'", function() client:shutdown(1) end)
    t.misuse("bad argument #1 to 'shutdown'", function() client:shutdown() end)
    assert(client:shutdown("rw"))
  end)
end)

t.test("writing to a peer that has gone is an error, never a signal", function()
  with_pair(function(client, server)
    server:close()
    local v, message, code
    t.eventually(function()
      v, message, code = client:write(("x"):rep(10000))
      return not v
    end)
    t.eq(v, nil)
    t.eq(type(message), "string")
    t.truthy(code == "EPIPE" or code == "ECONNRESET", code)
  end)
end)

t.test("a write that waits when the peer resets", BIG, function()
  with_pair(function(client, server)
    local f = weft.spawn(function() return client:write(("x"):rep(20000000)) end)
    weft.sleep(0.02)
    t.eq(at_rest(f), "parked")
    server:close()
    local v, message, code = f:join()
    t.eq(v, nil)
    t.eq(type(message), "string")
    t.truthy(code == "EPIPE" or code == "ECONNRESET", code)
  end)
end)

-- ---------------------------------------------------------------- close

t.test("use after close is refused at the caller's line", function()
  with_pair(function(client, server, l)
    client:close()
    t.misuse("closed", function() client:read_some() end)
    t.misuse("closed", function() client:write("x") end)
    t.misuse("closed", function() client:shutdown("w") end)
    t.misuse("closed", function() client:address() end)
    t.misuse("closed", function() client:peer_address() end)
    server:close()
    l:close()
    t.misuse("closed", function() l:accept() end)
    t.misuse("closed", function() l:address() end)
  end)
end)

t.test("a double close is refused at the caller's line", function()
  with_pair(function(client, _, l)
    client:close()
    t.misuse("closed", function() client:close() end)
    l:close()
    t.misuse("closed", function() l:close() end)
  end)
end)

t.test("close wakes who reads", function()
  with_pair(function(client)
    local f = weft.spawn(function() return client:read_some() end)
    t.settle(3)
    t.eq(f:status(), "parked")
    client:close()
    t.returns(t.pack(nil, "closed", "closed"), f:join())
  end)
end)

t.test("close wakes who writes", BIG, function()
  with_pair(function(client)
    local f = weft.spawn(function() return client:write(("x"):rep(20000000)) end)
    weft.sleep(0.02)
    t.eq(at_rest(f), "parked")
    client:close()
    t.returns(t.pack(nil, "closed", "closed"), f:join())
  end)
end)

t.test("close wakes who accepts", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local f = weft.spawn(function() return l:accept() end)
  local g = weft.spawn(function() return weft.choose(l:accept_op(), weft.sleep_op(3600)):perform() end)
  t.settle(3)
  l:close()
  t.returns(t.pack(nil, "closed", "closed"), f:join())
  t.returns(t.pack(nil, "closed", "closed"), g:join())
end)

t.test("to-be-closed sockets", function()
  if not t.has_close then t.skip "not in this Lua" end
  local l = assert(tcp.listen("127.0.0.1", 0))
  local server = assert(load([[
    local tcp, l = ...
    local client <close> = assert(tcp.connect(l:address()))
    local server = assert(l:accept())
    assert(client:write("x"))
    return server
  ]]))(tcp, l)
  t.eq(server:read_some(), "x")
  t.eq(server:read_some(), nil)
  server:close()
  -- A close by hand before the block ends is fine.
  assert(load([[
    local tcp, l = ...
    local client <close> = assert(tcp.connect(l:address()))
    client:close()
  ]]))(tcp, l)
  l:close()
end)

t.test("tostring", function()
  with_pair(function(client, _, l)
    local _, port = l:address()
    t.contains(tostring(l), tostring(port))
    t.match(tostring(l), "listener")
    t.match(tostring(client), "stream")
    client:close()
    t.contains(tostring(client), "closed")
  end)
end)

t.test("methods check what they are called on", function()
  with_pair(function(client, _, l)
    t.raises("bad argument", function() client.read_some(l) end)
    t.raises("bad argument", function() client.write("x", "y") end)
    t.raises("bad argument", function() l.accept(client) end)
    t.raises("bad argument", function() l.close() end)
  end)
end)

-- ---------------------------------------------------------------- in a choice

t.test("read with a time-out", function()
  with_pair(function(client, server)
    local limit = 0.01
    local late = weft.guard(function() return weft.sleep_op(limit) end):wrap(function() return nil, "late" end)
    local op = weft.choose(server:read_some_op(), late)
    t.returns(t.pack(nil, "late"), op:perform())
    assert(client:write("in time"))
    limit = 3600
    t.eq(op:perform(), "in time")
    limit = 0.01
    t.returns(t.pack(nil, "late"), op:perform())
  end)
end)

t.test("accept with a time-out", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local limit = 0.01
  local late = weft.guard(function() return weft.sleep_op(limit) end):wrap(function() return "late" end)
  local op = weft.choose(l:accept_op(), late)
  t.eq(op:perform(), "late")
  local c = assert(tcp.connect(l:address()))
  limit = 3600
  local s = op:perform()
  t.ne(s, "late")
  s:close()
  c:close()
  l:close()
end)

t.test("connect in a choice", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  local c = weft.choose(tcp.connect_op(host, port), weft.sleep_op(3600)):perform()
  assert(l:accept()):close()
  c:close()
  l:close()
  with_nobody(function(silent, nobody)
    t.fails("ECONNREFUSED", weft.choose(tcp.connect_op(silent, nobody), weft.sleep_op(3600)):perform())
  end)
end)

t.test("a lost connect closes its socket", function()
  -- Nobody answers at this address (TEST-NET-1), or the network refuses at once.
  local first = weft.choose(tcp.connect_op("192.0.2.1", 9), weft.sleep_op(0.01):wrap(function() return "late" end))
    :perform()
  if first ~= "late" then t.skip "192.0.2.1 answers here" end
  local l = assert(tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  for _ = 1, 20 do
    local c = weft.choose(tcp.connect_op(host, port), weft.sleep_op(0)):perform()
    if c then c:close() end
  end
  l:close()
end)

t.test("read_some_op tried", function()
  with_pair(function(client, server)
    local function tried()
      local r = t.pack(server:read_some_op():try())
      return r[1] and r
    end
    t.eq(tried(), false)
    assert(client:write("x"))
    t.same(t.eventually(tried), t.pack(true, "x"))
    client:close()
    t.same(t.eventually(tried), t.pack(true, nil))
  end)
end)

t.test("accept_op tried", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  t.eq(l:accept_op():try(), false)
  local c = assert(tcp.connect(l:address()))
  t.eventually(function()
    local ok, s = l:accept_op():try()
    if ok then s:close() end
    return ok
  end)
  c:close()
  l:close()
end)

t.test("write_op commits when the stream takes charge", function()
  with_pair(function(client, server)
    t.returns(t.pack(true), client:write_op("one"):perform())
    t.returns(t.pack(true), weft.choose(client:write_op("two"), weft.sleep_op(3600)):perform())
    t.eq(read_exactly(server, 6), "onetwo")
  end)
end)

t.test("a lost write sent nothing", function()
  with_pair(function(client, server)
    local ready = weft.channel(math.huge)
    local sent = {}
    for i = 1, 200 do
      ready:put(i)
      local won = weft.choose(
        client:write_op(i .. ","):wrap(function() return "write" end),
        ready:get_op():wrap(function() return "other" end)
      ):perform()
      if won == "write" then
        sent[#sent + 1] = i .. ","
        ready:get()
      end
    end
    assert(client:shutdown("w"))
    t.truthy(#sent > 10)
    t.eq(read_all(server), table.concat(sent))
  end)
end)

t.test("a losing read loses no byte", function()
  with_pair(function(client, server)
    local n = t.scale(3000, 200)
    local expect = {}
    for i = 1, n do expect[i] = i .. "," end
    local noise = weft.channel()
    local stop = false
    weft.scope(function(s)
      s:spawn(function()
        for i = 1, n do
          assert(client:write(expect[i]))
          if i % 3 == 0 then weft.yield() end
          if i % 500 == 0 then weft.sleep(0.001) end
        end
        client:shutdown("w")
      end)
      s:spawn(function()
        while not stop do
          weft.choose(noise:put_op("noise"), weft.sleep_op(0.001)):perform()
          weft.yield()
        end
      end)
      local got, lost = {}, 0
      local choice = weft.choose(
        server:read_some_op(7):wrap(function(bytes) return "bytes", bytes end),
        noise:get_op():wrap(function() return "noise" end),
        weft.sleep_op(0):wrap(function() return "noise" end)
      )
      while true do
        local what, bytes = choice:perform()
        if what == "noise" then
          lost = lost + 1
          weft.yield()
        elseif bytes then
          got[#got + 1] = bytes
        else
          break
        end
      end
      stop = true
      t.truthy(lost > 0, "the read never lost")
      t.eq(table.concat(got), table.concat(expect))
    end)
  end)
end)

t.test("a losing accept loses no connection", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  local n = t.scale(200, 20)
  local accepted, lost = 0, 0
  weft.scope(function(s)
    s:spawn(function()
      for i = 1, n do
        local c = assert(tcp.connect(host, port))
        assert(c:write(tostring(i)))
        t.eq(c:read_some(), "ok " .. i)
        c:close()
      end
    end)
    while accepted < n do
      local c = weft.choose(l:accept_op(), weft.sleep_op(0):wrap(function() return nil end)):perform()
      if c then
        accepted = accepted + 1
        s:spawn(function()
          assert(c:write("ok " .. c:read_some()))
          c:close()
        end)
      else
        lost = lost + 1
        weft.yield()
      end
    end
  end)
  l:close()
  t.truthy(lost > 0, "accept never lost")
end)

t.test("one fiber serves several sockets and a channel", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  local clients, servers, got = {}, {}, {}
  for i = 1, 5 do
    clients[i] = assert(tcp.connect(host, port))
    servers[i] = assert(l:accept())
  end
  local stop = weft.channel()
  local f = weft.spawn(function()
    local arms = { stop:get_op():wrap(function() return "stop" end) }
    for i = 1, 5 do arms[i + 1] = servers[i]:read_some_op():wrap(function(b) return i, b end) end
    local choice = weft.choose(arms)
    while true do
      local i, bytes = choice:perform()
      if i == "stop" then return end
      got[i] = (got[i] or "") .. bytes
    end
  end)
  for i = 1, 5 do
    assert(clients[i]:write("from " .. i))
    t.settle(3)
  end
  for i = 1, 5 do t.eventually(function() return got[i] == "from " .. i end) end
  stop:put(true)
  f:join()
  for i = 1, 5 do
    clients[i]:close()
    servers[i]:close()
  end
  l:close()
end)

-- ---------------------------------------------------------------- many

t.test("a thousand connections at once", { memory = 6144 }, function()
  local p = io.popen("ulimit -n")
  local limit = tonumber(p:read("*l")) or math.huge
  p:close()
  local n = math.min(t.scale(1000, 50), 1000)
  if t.quick then n = 200 end
  if os.getenv "WEFT_BACKEND" == "select" then limit = math.min(limit, 1024) end  -- FD_SETSIZE
  n = math.min(n, math.floor((limit - 100) / 2))
  local l = assert(tcp.listen("127.0.0.1", 0, { backlog = 1024 }))
  local host, port = l:address()
  local echoed, open, go = 0, 0, weft.channel()
  weft.scope(function(s)
    local server = s:daemon(function()
      while true do
        local c = assert(l:accept())
        s:spawn(function()
          open = open + 1
          if open == n then go:close() end
          while true do
            local bytes = c:read_some()
            if not bytes then break end
            assert(c:write(bytes))
          end
          open = open - 1
          c:close()
        end)
      end
    end)
    t.truthy(server)
    for i = 1, n do
      s:spawn(function()
        local c = assert(tcp.connect(host, port))
        go:get()                          -- all are open before anybody goes on
        for round = 1, 3 do
          local text = i .. ":" .. round
          assert(c:write(text))
          t.eq(read_exactly(c, #text), text)
          echoed = echoed + 1
        end
        c:close()
      end)
    end
  end)
  l:close()
  t.eq(echoed, 3 * n)
  t.eq(open, 0)
end)

t.test("connections one after another", function()
  local l = assert(tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  for i = 1, t.scale(1000, 50) do
    local c = assert(tcp.connect(host, port))
    local s = assert(l:accept())
    assert(s:write(tostring(i)))
    s:close()
    t.eq(read_all(c), tostring(i))
    c:close()
  end
  l:close()
end)

t.test("a busy stream does not starve the others", BIG, function()
  with_pair(function(client, server)
    local stop = false
    local chunk = ("x"):rep(65536)
    weft.scope(function(s)
      s:spawn(function()
        while not stop do assert(client:write(chunk)) end
        client:shutdown("w")
      end)
      s:spawn(function() read_all(server) end)
      for _ = 1, 10 do weft.sleep(0.001) end
      stop = true
    end)
  end)
end)

t.outside("streams that a run left open", function()
  local client, server, l
  weft.run(function()
    l = assert(tcp.listen("127.0.0.1", 0))
    client = assert(tcp.connect(l:address()))
    server = assert(l:accept())
  end)
  weft.run(function()
    assert(client:write("in the next run"))
    t.eq(server:read_some(), "in the next run")
  end)
  client:close()
  server:close()
  l:close()
end)

t.outside("a run that fails while sockets wait", function()
  local client, server, l
  t.raises("stop here", weft.run, function()
    l = assert(tcp.listen("127.0.0.1", 0))
    client = assert(tcp.connect(l:address()))
    server = assert(l:accept())
    weft.spawn(function() server:read_some() end)
    weft.spawn(function() l:accept() end)
    weft.yield()
    error("stop here")
  end)
  weft.run(function()
    assert(client:write("whole"))
    t.eq(server:read_some(), "whole")
  end)
  client:close()
  server:close()
  l:close()
end)

t.test("the descriptors are closed on exec", function()
  with_pair(function()
    local p = io.popen("ls -l /proc/self/fd")
    local list = p:read("*a")
    p:close()
    t.falsy(list:find("socket:", 1, true), list)
    t.falsy(list:find("eventpoll", 1, true), list)
  end)
end)

t.test("against other programs: nc or python", function()
  if t.shell("python3 -c 'import socket'").code ~= 0 then t.skip "no python3" end
  local l = assert(tcp.listen("127.0.0.1", 0))
  local _, port = l:address()
  local script = os.tmpname()
  t.spit(script, [[
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"x" * 100000)
s.shutdown(socket.SHUT_WR)
n = 0
while True:
    b = s.recv(65536)
    if not b: break
    n += len(b)
print(n)
]])
  local p = io.popen(string.format("python3 %s %d 2>/dev/null", script, port))
  local s = assert(l:accept())
  t.eq(#read_all(s), 100000)
  assert(s:write(("y"):rep(12345)))
  s:close()
  t.eq(p:read("*l"), "12345")
  p:close()
  os.remove(script)
  l:close()
end)

-- ---------------------------------------------------------------- bytes that outlive their writer

local big = ("x"):rep(4 * 1024 * 1024)

-- A connected pair; the bytes that the second has read to its end.
local function pair()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local a = assert(weft.net.tcp.connect(l:address()))
  local b = assert(l:accept())
  l:close()
  return a, b
end

local function drained(b)
  local n = 0
  while true do
    local bytes = b:read_some()
    if not bytes then return n end
    n = n + #bytes
  end
end

t.test("inspect lists fibers alone while a closed stream still sends", function()
  local a, b = pair()
  a:write_op(big):perform()
  a:close()
  local list = weft.inspect.fibers()
  for _, info in ipairs(list) do
    t.eq(type(info.id), "number")
    t.contains("runnable running parked", info.state)
    t.contains(info.scope, "weft.scope")
  end
  t.contains(weft.inspect.dump(), "#" .. weft.self().id)
  t.eq(drained(b), #big)
  b:close()
end)

t.outside("run ends when a closed stream has sent what it took", function()
  local got
  weft.run(function()
    local a, b = pair()
    a:write_op(big):perform()
    a:close()
    weft.daemon(function()
      weft.shield(function()
        got = drained(b)
        b:close()
      end)
    end)
  end)
  t.eq(got, #big)
end)

t.outside("a stream that is still open does not hold run, whatever it has taken", function()
  local a, b
  weft.run(function()
    a, b = pair()
    a:write_op(big):perform()
  end)
  weft.run(function()
    weft.spawn(function()
      a:write "end"
      a:close()
    end)
    t.eq(drained(b), #big + 3)
    b:close()
  end)
end)
