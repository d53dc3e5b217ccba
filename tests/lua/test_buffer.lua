-- SPDX-License-Identifier: MIT
-- weft.buffer: bytes outside the collector.

local t = require "harness"
local weft = require "weft"

local buffer = weft.buffer

t.test("a buffer grows", function()
  local b = buffer()
  t.eq(#b, 0)
  t.eq(tostring(b), "")
  t.eq(b:append("one", 2, ""), b)
  t.eq(tostring(b), "one2")
  b:append(b)
  t.eq(tostring(b), "one2one2")
  b:append(buffer("x"), buffer())
  t.eq(#b, 9)
  for _ = 1, 1000 do b:append "0123456789" end
  t.eq(#b, 10009)
  t.eq(b:sub(-10), "0123456789")
  t.eq(b:clear(), b)
  t.eq(#b, 0)
  t.eq(tostring(buffer(100)), "")
  t.eq(tostring(buffer("a\0b")), "a\0b")
end)

t.test("sub and slice count as string.sub does", function()
  local s = "abcdef"
  local b = buffer(s)
  for _, range in ipairs { { 1 }, { 2, 4 }, { -3 }, { -3, -2 }, { 0 }, { 5, 2 }, { 3, 100 }, { -100, 2 }, { 7 }, {} } do
    local expected = range[1] and s:sub(range[1], range[2]) or s
    t.eq(b:sub(range[1], range[2]), expected)
    t.eq(tostring(b:slice(range[1], range[2])), expected)
  end
end)

t.test("a slice is a value of its own", function()
  local b = buffer "0123456789"
  local c, d = b:slice(3, 6), b:slice()
  b:put("I1", 4, 65)
  t.eq(tostring(b), "012A456789")
  t.eq(tostring(c), "2345")
  t.eq(tostring(d), "0123456789")
  c:append "!"
  t.eq(tostring(c), "2345!")
  t.eq(tostring(c:slice(2, 3):append("x")), "34x")
  d:clear()
  t.eq(#d, 0)
  b = nil -- luacheck: ignore
  collectgarbage()
  t.eq(tostring(c), "2345!")
end)

t.test("integers of every size and order", function()
  local cases = {
    { "I1", 255, "\255" }, { "i1", -1, "\255" }, { "<I2", 0x1234, "\52\18" }, { ">I2", 0x1234, "\18\52" },
    { "<i3", -2, "\254\255\255" }, { ">i4", -2, "\255\255\255\254" }, { "<I4", 4294967295, "\255\255\255\255" },
    { ">I6", 1, "\0\0\0\0\0\1" }, { "<i8", -1, ("\255"):rep(8) }, { ">I8", 9007199254740992, "\0\32\0\0\0\0\0\0" },
  }
  for _, case in ipairs(cases) do
    local format, value, bytes = case[1], case[2], case[3]
    local b = buffer "<>"
    t.eq(b:put(format, 3, value), b)
    t.eq(b:sub(3), bytes, format)
    t.eq(b:get(format, 3), value, format)
    t.eq(b:get(format, -#bytes), value, format)
    b:put(format, 1, value)
    t.eq(b:get(format, 1), value, format)
  end
  if t.has_integers then t.eq(math.type(buffer("1234"):get("i4", 1)), "integer") end
end)

t.test("misuse raises", function()
  local b = buffer "1234"
  t.misuse("outside the buffer's 4 bytes", function() b:get("i4", 2) end)
  t.misuse("outside the buffer's 4 bytes", function() b:get("i1", 0) end)
  t.misuse("outside the buffer's 4 bytes", function() b:put("i1", 6, 1) end)
  t.misuse("outside the buffer's 4 bytes", function() b:get("i1", -5) end)
  t.misuse("does not fit 1 bytes", function() b:put("I1", 1, 256) end)
  t.misuse("does not fit 2 bytes", function() b:put("i2", 1, 32768) end)
  t.misuse("does not fit 1 bytes", function() b:put("I1", 1, -1) end)
  t.misuse("no integer representation", function() b:put("I1", 1, 1.5) end)
  t.misuse("a format like \"<i4\" expected, got \"i9\"", function() b:get("i9", 1) end)
  t.misuse("a format like", function() b:get("x", 1) end)
  t.misuse("a format like", function() b:get("i44", 1) end)
  t.misuse("bad argument #1 to 'append' %(string or buffer expected, got table%)", function() b:append {} end)
  t.misuse("bad argument #2 to 'append'", function() b:append("x", true) end)
  t.misuse("bad argument #1 to 'buffer' %(number or string expected, got table%)", function() buffer {} end)
  t.misuse("a number of bytes expected", function() buffer(-1) end)
  t.misuse("bad argument #1 to 'read_into' %(stream expected, got string%)", function() b:read_into "x" end)
  t.eq(tostring(b), "1234")
end)

t.test("reading into a buffer", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local client = assert(weft.net.tcp.connect(l:address()))
  local server = assert(l:accept())
  local b, long, seen = buffer "head:", ("0123456789"):rep(20000), weft.latch(1)
  weft.scope(function(s)
    s:spawn(function()
      weft.sleep(0.01)
      client:write "abc"
      seen:wait()
      client:write(long)
      client:shutdown "w"
    end)
    t.eq(b:read_into(server, 2), 2)
    t.eq(b:read_into(server), 1)
    t.eq(tostring(b), "head:abc")
    seen:count_down()
    local total = 0
    while true do
      local n = b:read_into(server, 1000)
      if not n then break end
      t.between(n, 1, 1000)
      total = total + n
    end
    t.eq(total, #long)
    t.eq(b:sub(9), long)
    t.returns(t.pack(nil), b:read_into(server))
  end)
  client:close()
  server:close()
  l:close()
end)

t.test("a buffer is written to a stream as it is at the call", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local client = assert(weft.net.tcp.connect(l:address()))
  local server = assert(l:accept())
  local long = ("0123456789"):rep(1000000)
  local got = buffer()
  t.eq(client:write(buffer()), true)
  weft.scope(function(s)
    s:spawn(function() t.eq(client:write(buffer(long)), true) end)
    local second, third = buffer "second", buffer "third"
    s:spawn(function() t.eq(client:write(second), true) end)
    weft.yield()
    second:put("I1", 1, 0)
    local op = client:write_op(third)
    third:clear():append "other"
    t.eq(tostring(third), "other")
    s:spawn(function() while got:read_into(server) do end end)
    s:spawn(function()
      t.eq(op:perform(), true)
      client:shutdown "w"
    end)
  end)
  t.eq(#got, #long + 11)
  t.eq(got:sub(1, #long), long)
  t.eq(got:sub(#long + 1), "secondthird")
  client:close()
  server:close()
  l:close()
end)

t.test("a buffer is sent by a socket", function()
  local one, other = weft.net.socket { type = "datagram" }, weft.net.socket { type = "datagram" }
  assert(one:bind("127.0.0.1", 0))
  local b = buffer "datagram"
  local op = other:sendto_op(b, one:address())
  b:clear()
  t.eq(op:perform(), 8)
  t.eq(one:recv(), "datagram")
  assert(other:connect(one:address()))
  t.eq(other:send(buffer "again"), 5)
  t.eq(one:recv(), "again")
  one:close()
  other:close()
end)

t.test("buffers that are garbage do not pile up", function()
  local bytes = ("x"):rep(100000)
  collectgarbage()
  local before, most = t.resident(), 0
  for i = 1, 4000 do
    weft.buffer(bytes)
    if i % 100 == 0 then most = math.max(most, t.resident()) end
  end
  if not os.getenv "WEFT_TEST_SANITIZED" then t.between(most - before, -1e9, 100000) end
end)

t.test("what a library writes into a request shows in no other buffer", function()
  local path = t.foreign_library "various" or t.skip "libvarious.so was not built"
  local rt = assert(weft.foreign.load(path, "threads=1 writes"))
  local b = buffer "hello world"
  local s = b:slice(7)
  t.returns(t.pack(true, "WORLD"), rt:shout(s))
  t.eq(tostring(b), "hello world")
  s = b:slice(1, 5)
  t.returns(t.pack(true, "HELLO WORLD"), rt:shout(b))
  t.eq(tostring(s), "hello")
  s = b:slice(1, 5)
  b = nil -- luacheck: ignore
  collectgarbage()
  t.returns(t.pack(true, "HELLO"), rt:shout(s))
  -- A slice made while the library has the bytes.
  local lent, slice = buffer "lent", nil
  weft.scope(function(inner)
    inner:spawn(function() rt:hold("20") end)
    inner:spawn(function() rt:shout(lent) end)
    weft.yield()
    slice = lent:slice()
  end)
  t.eq(tostring(slice), "lent")
  t.eq(tostring(lent), "LENT")
  rt:unload()
end)

t.test("a buffer as a request is not copied, and not changed by what comes after", function()
  local path = t.foreign_library "various" or t.skip "libvarious.so was not built"
  local rt = assert(weft.foreign.load(path, "threads=1 buffer"))
  local b = buffer(("x"):rep(100000))
  t.returns(t.pack(true, tostring(b)), rt:echo(b))
  t.returns(t.pack(true, "0"), rt:length(buffer()))
  t.returns(t.pack(true, "5"), rt:length(buffer("12345678"):slice(2, 6)))
  t.returns(t.pack(true, "23456"), rt:back(buffer("12345678"):slice(2, 6)))
  t.returns(t.pack(true, "same"), rt:echo_op(buffer "same"):perform())
  weft.scope(function(s)
    local sent = buffer "as it was"
    s:spawn(function() rt:hold("20") end)
    s:spawn(function() t.returns(t.pack(true, "as it was"), rt:echo(sent)) end)
    weft.yield()
    sent:put("I1", 1, 65):append "!"
    t.eq(tostring(sent), "As it was!")
    sent = nil -- luacheck: ignore
    collectgarbage()
  end)
  rt:unload()
end)
