-- SPDX-License-Identifier: MIT
-- t.Net.Address: an address and a port, of IPv4 or IPv6, or a path.
local weft = require "weft"
local object = require "t.object"
local check = require "t.check"

local kind = object "T.Net.Address"
local methods, metatable = kind.methods, kind.metatable

local family_names = { ip4 = "AF_INET", ip6 = "AF_INET6", unix = "AF_UNIX" }
local loopback = { localhost = "127.0.0.1", ["ip6-localhost"] = "::1" }

-- The address in `text`, and its family: "ip4", "ip6", or "unix" for a path. [::1] and ::1 are the same.
local function parse(name, text)
  text = loopback[text] or text:match "^%[(.*)%]$" or text
  local ip, family = weft.net.parse_address(text)
  if ip then return ip, family end
  if text:find("/", 1, true) then return text, "unix" end
  return check.misuse(("bad argument #1 to '%s' (an address expected, got '%s')"):format(name, text))
end

local function check_port(name, i, port)
  port = check.integer(name, i, port, 0)
  if port > 65535 then
    check.misuse(("bad argument #%d to '%s' (at most 65535 expected, got %d)"):format(i, name, port))
  end
  return port
end

local function set(record, ip, family, port)
  record.ip, record.family, record.port = ip, family, port
end

local function new(ip, port)
  local record = { ip = "0.0.0.0", family = "ip4", port = 0 }
  if type(ip) == "number" and port == nil then ip, port = nil, ip end
  if ip ~= nil then
    if type(ip) ~= "string" then check.refuse("Address", 1, "string", ip) end
    record.ip, record.family = parse("Address", ip)
  end
  if port ~= nil then record.port = check_port("Address", 2, port) end
  return kind.new(record)
end

function methods:get()
  local record = kind.of(self, "get")
  return record.ip, record.port
end
function methods:set(ip, port)
  local record = kind.of(self, "set")
  if type(ip) ~= "string" then check.refuse("set", 1, "string", ip) end
  local text, family = parse("set", ip)
  set(record, text, family, port == nil and record.port or check_port("set", 2, port))
end

function kind.get(_, key, record)
  if key == "family" then return family_names[record.family] end
  if key == "ip" or key == "port" then return record[key] end
end

function metatable.__newindex(self, key, value)
  local record = kind.record(self)
  if key == "port" then
    record.port = check_port("port", 1, value)
  elseif key == "ip" then
    methods.set(self, value)
  else
    check.misuse(("a T.Net.Address has no field '%s' to set"):format(tostring(key)))
  end
end

function metatable.__eq(a, b)
  local x, y = kind.record(a), kind.record(b)
  return x.family == y.family and x.ip == y.ip and x.port == y.port
end

function kind.describe(record)
  if record.family == "unix" then return ("{%s}"):format(record.ip) end
  return (record.family == "ip6" and "{[%s]:%d}" or "{%s:%d}"):format(record.ip, record.port)
end

-- Of the other files of t.Net. What a socket takes: host and port, or a path.
local function target(address)
  local record = kind.record(address)
  if record.family == "unix" then return record.ip end
  return record.ip, record.port
end

-- Makes `address`, or a new one, say what a socket said of itself.
local function update(address, host, port)
  address = address or new()
  local ip, family = weft.net.parse_address(host)
  set(kind.record(address), ip or host, family or "unix", port or 0)
  return address
end

return setmetatable({
  is = kind.is, target = target, update = update, family = function(a) return kind.record(a).family end,
}, { __call = function(_, ...) return new(...) end, __index = methods })
