-- SPDX-License-Identifier: MIT
-- t.Net.Socket over weft.net.socket. A socket blocks, that is: its fiber waits, unless `nonblock` is set. bind,
-- listen and connect are functions of the class, which make the socket, and methods.
local weft = require "weft"
local object = require "t.object"
local check = require "t.check"
local wait = require "t.wait"
local Address = require "t.Net.Address"
local Buffer = require "t.Buffer"

local kind = object "T.Net.Socket"
local methods, metatable = kind.methods, kind.metatable

-- ---------------------------------------------------------------- making one

local families = {
  af_inet = "ip4", inet = "ip4", ip4 = "ip4", ipv4 = "ip4", af_inet6 = "ip6", inet6 = "ip6", ip6 = "ip6", ipv6 = "ip6",
  af_unix = "unix", unix = "unix", ["local"] = "unix",
}
local protocols = { tcp = "stream", udp = "datagram", ipproto_tcp = "stream", ipproto_udp = "datagram" }
local types = {
  stream = "stream", sock_stream = "stream", dgram = "datagram", sock_dgram = "datagram", datagram = "datagram",
}

local function word(name, i, known, v, default)
  if v == nil then return default end
  if type(v) ~= "string" then check.refuse(name, i, "string", v) end
  local meaning = known[v:lower()]
  if not meaning then check.misuse(("bad argument #%d to '%s' (unknown '%s')"):format(i, name, v)) end
  return meaning
end

local function wrap(raw, family, type)
  return kind.new { raw = raw, family = family, type = type, nonblock = false }
end

local function new(protocol, family, socket_type)
  family = word("Socket", 2, families, family, "ip4")
  local type = word("Socket", 3, types, socket_type, word("Socket", 1, protocols, protocol, "stream"))
  local raw, message, code = weft.net.socket { family = family, type = type }
  if not raw then return nil, message, code end
  return wrap(raw, family, type)
end

-- ---------------------------------------------------------------- bind, listen, connect

-- The address in the arguments (Address | [host][, port]), whether it is new, and what follows it.
local function address_of(default_host, first, second, ...)
  if Address.is(first) then return first, false, second, ... end
  if type(first) == "string" then
    if type(second) == "number" then return Address(first, second), true, ... end
    return Address(first), true, second, ...
  end
  if type(first) == "number" then return Address(default_host, first), true, second, ... end
  return Address(default_host), true, second, ...
end

local function open_socket(name, self)
  local record = kind.of(self, name)
  if record.raw:closed() then check.misuse(("'%s' of a closed T.Net.Socket"):format(name)) end
  return record
end

-- Calls act(record, address, is_new, more...) for a method, or for a socket that it makes: address, or socket,
-- address; or nil, message, code.
local function with_address(name, default_host, act, first, ...)
  local function finish(self, address, is_new, ...)
    local record = open_socket(name, self)
    local ok, message, code = act(record, address, ...)
    if not ok then return nil, message, code end
    if (is_new or address.port == 0) and name ~= "connect" then Address.update(address, record.raw:address()) end
    return address
  end
  if kind.is(first) then return finish(first, address_of(default_host, ...)) end
  local function on_new(...)
    local self = assert(new("tcp", Address.family((...))))
    local address, message, code = finish(self, ...)
    if address then return self, address end
    self:close()
    return nil, message, code
  end
  return on_new(address_of(default_host, first, ...))
end

local function bind(record, address) return record.raw:bind(Address.target(address)) end

local function listen_to(record, address, backlog)
  if record.family ~= "unix" then record.raw:option("reuse_address", true) end
  local ok, message, code = bind(record, address)
  if not ok then return nil, message, code end
  return record.raw:listen(backlog)
end

local function connect(record, address)
  local op = record.raw:connect_op(Address.target(address))
  if not record.nonblock then return wait(op) end
  return wait(op:or_else(function() return true end)) -- it goes on: writable when it is done
end

local function bind_of(...) return with_address("bind", "0.0.0.0", bind, ...) end
local function connect_of(...) return with_address("connect", "127.0.0.1", connect, ...) end

local function listen_of(first, second, third, ...)
  -- A socket that is bound already: listen() and listen(backlog).
  if kind.is(first) and (second == nil or type(second) == "number") and third == nil then
    local record = open_socket("listen", first)
    local ok, message, code = record.raw:listen(second)
    if not ok then return nil, message, code end
    return Address.update(nil, record.raw:address())
  end
  -- Of the class a number alone is the backlog.
  if type(first) == "number" and second == nil then return with_address("listen", "0.0.0.0", listen_to, nil, first) end
  return with_address("listen", "0.0.0.0", listen_to, first, second, third, ...)
end
methods.bind, methods.connect, methods.listen = bind_of, connect_of, listen_of

-- ---------------------------------------------------------------- data

local function would_block() return nil, "resource temporarily unavailable", "EAGAIN" end

-- Performs as the socket does: at once or never if it does not block, in time if it has a time-out.
local function perform(record, op, timeout)
  if record.nonblock then return wait(op:or_else(would_block)) end
  if not timeout then return wait(op) end
  return wait(weft.choose(op, weft.sleep_op(timeout / 1000):wrap(would_block)))
end

function methods:accept()
  local record = open_socket("accept", self)
  local raw, message, code = perform(record, record.raw:accept_op(), record.recvtimeout)
  if not raw then return false, message, code end
  return wrap(raw, record.family, "stream"), Address.update(nil, raw:peer_address())
end

local function send_once(record, bytes, address)
  local raw = record.raw
  local op = address and raw:sendto_op(bytes, Address.target(address)) or raw:send_op(bytes)
  return perform(record, op, record.sendtimeout)
end

-- A stream that blocks sends all of it.
local function send_all(record, bytes)
  local sent = 0
  repeat
    local n, message, code = send_once(record, sent == 0 and bytes or bytes:sub(sent + 1))
    if not n then
      if sent > 0 then return sent end
      return nil, message, code
    end
    sent = sent + n
  until sent >= #bytes
  return sent
end

function methods:send(message, address, limit)
  local record = open_socket("send", self)
  if Buffer.is(message) then message = Buffer.bytes_of(message) end
  if type(message) ~= "string" then check.refuse("send", 1, "string", message) end
  if type(address) == "number" and limit == nil then address, limit = nil, address end
  if address ~= nil and not Address.is(address) then check.refuse("send", 2, "T.Net.Address", address) end
  if limit ~= nil then message = message:sub(1, check.integer("send", address and 3 or 2, limit, 0)) end
  local n, text, code
  if record.type == "stream" and not record.nonblock then
    n, text, code = send_all(record, message)
  else
    n, text, code = send_once(record, message, address)
  end
  if n then return n end
  return false, text, code
end

-- recv's arguments may be left out, but keep their order: address, buffer, limit.
local function recv_arguments(...)
  local given, i = { ... }, 1
  local address, buffer
  if Address.is(given[i]) then address, i = given[i], i + 1 end
  if Buffer.is(given[i]) then buffer, i = given[i], i + 1 end
  local limit = given[i]
  local most = buffer and #buffer or Buffer.Size
  if limit == nil then return address, buffer, most end
  limit = check.integer("recv", i, limit, 1)
  if limit > most then
    check.misuse(("bad argument #%d to 'recv' (max must be smaller than %s)"):format(i, buffer and "sink" or "BUFSIZ"))
  end
  return address, buffer, limit
end

function methods:recv(...)
  local record = open_socket("recv", self)
  local address, buffer, limit = recv_arguments(...)
  if limit == 0 then return true, 0 end
  local raw = record.raw
  local op = address and raw:recvfrom_op(limit) or raw:recv_op(limit)
  local bytes, host, port = perform(record, op, record.recvtimeout)
  if not bytes then
    if host then return false, host, port end
    return nil, 0
  end
  if address then
    if not host then host, port = raw:peer_address() end
    Address.update(address, host, port)
  end
  if not buffer then return bytes, #bytes end
  buffer:write(bytes)
  return true, #bytes
end

-- ---------------------------------------------------------------- the end

local directions = { [0] = "r", [1] = "w", [2] = "rw" }
for how, names in pairs { r = "r rd read shut_rd", w = "w wr write shut_wr", rw = "rw rdwr readwrite shut_rdwr" } do
  for name in names:gmatch "%S+" do directions[name] = how end
end

function methods:shutdown(how)
  local record = open_socket("shutdown", self)
  local which = directions[type(how) == "string" and how:lower() or how == nil and "rw" or how]
  if not which then check.misuse(("bad argument #1 to 'shutdown' (unknown direction '%s')"):format(tostring(how))) end
  local ok, message, code = record.raw:shutdown(which)
  if ok then return true end
  return false, message, code
end

function methods:close()
  local raw = kind.of(self, "close").raw
  if not raw:closed() then raw:close() end
end

-- For weft.pollable, and so for t.Loop.
function methods:pollfd() return kind.of(self, "pollfd").raw end

-- ---------------------------------------------------------------- properties

local options = {
  broadcast = "broadcast", debug = "debug", dontroute = "dont_route", error = "error", keepalive = "keepalive",
  maxsegment = "max_segment", nodelay = "nodelay", oobinline = "oob_inline", recvbuffer = "receive_buffer",
  recvlow = "receive_low", reuseaddr = "reuse_address", reuseport = "reuse_port", sendbuffer = "send_buffer",
  sendlow = "send_low",
}
local numbers = {
  error = true, maxsegment = true, recvbuffer = true, recvlow = true, sendbuffer = true, sendlow = true,
}
local timeouts = { recvtimeout = true, sendtimeout = true }
local facts = {
  family = function(record) return ({ ip4 = "AF_INET", ip6 = "AF_INET6", unix = "AF_UNIX" })[record.family] end,
  type = function(record) return record.type == "stream" and "SOCK_STREAM" or "SOCK_DGRAM" end,
  protocol = function(record)
    return record.family == "unix" and "unix" or record.type == "stream" and "tcp" or "udp"
  end,
  descriptor = function(record) return not record.raw:closed() and record.raw:getfd() or nil end,
}

function kind.get(self, key, record)
  if facts[key] then return facts[key](record) end
  if key == "nonblock" then return record.nonblock end
  if timeouts[key] then return record[key] or 0 end
  if not options[key] then return nil end
  local value, message = open_socket(key, self).raw:option(options[key])
  if value == nil then check.misuse(("%s: %s"):format(key, message)) end
  return value
end

function metatable.__newindex(self, key, value)
  local record = kind.record(self)
  if key == "nonblock" then
    record.nonblock = value and true or false
  elseif timeouts[key] then
    value = check.integer(key, 1, value, 0)
    record[key] = value > 0 and value or nil
  elseif options[key] then
    if numbers[key] then
      check.integer(key, 1, value, 0)
    elseif type(value) ~= "boolean" then
      check.refuse(key, 1, "boolean", value)
    end
    local ok, message = open_socket(key, self).raw:option(options[key], value)
    if not ok then check.misuse(("%s: %s"):format(key, message)) end
  else
    check.misuse(("a T.Net.Socket has no property '%s' to set"):format(tostring(key)))
  end
end

function kind.describe(record)
  return record.raw:closed() and "{closed}" or ("{%d}"):format(record.raw:getfd())
end

-- ---------------------------------------------------------------- select

local function ready_ops(list, method, ops)
  local found = {}
  for key, socket in pairs(list or {}) do
    local p = assert(weft.pollable(open_socket("select", socket).raw))
    found[#found + 1] = { key = key, socket = socket, op = p[method](p) }
    ops[#ops + 1] = found[#found].op
  end
  return found
end

-- Of those that are ready; a socket with a name keeps it.
local function ready_of(found)
  local ready = {}
  for _, entry in ipairs(found) do
    if entry.op:try() then
      ready[type(entry.key) == "number" and #ready + 1 or entry.key] = entry.socket
    end
  end
  return ready
end

local function select_ready(reads, writes)
  local ops = {}
  local readers, writers = ready_ops(reads, "readable_op", ops), ready_ops(writes, "writable_op", ops)
  local function both() return ready_of(readers), ready_of(writers) end
  if #ops == 0 then return {}, {} end
  return wait(weft.choose(ops):wrap(both))
end

return setmetatable({
  bind = bind_of, listen = listen_of, connect = connect_of, select = select_ready, new = new, is = kind.is,
  SHUT_RD = 0, SHUT_WR = 1, SHUT_RDWR = 2, [0] = "SHUT_RD", [1] = "SHUT_WR", [2] = "SHUT_RDWR",
}, {
  __call = function(_, ...) return new(...) end,
  __index = methods,
})
