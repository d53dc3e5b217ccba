-- SPDX-License-Identifier: MIT
-- t.Buffer: bytes that can be changed, and t.Buffer.Segment, a window on those of a buffer. Sockets send from
-- both and receive into both.
local object = require "t.object"
local check = require "t.check"

local buffers, segments = object "T.Buffer", object "T.Buffer.Segment"
local min, max, floor = math.min, math.max, math.floor

local function is_bytes(v) return buffers.is(v) or segments.is(v) end

-- What v shows: the record with the bytes, how many are in front, how many there are.
local function view_of(v)
  if buffers.is(v) then
    local record = buffers.record(v)
    return record, 0, #record.bytes
  end
  local segment = segments.record(v)
  local record = buffers.record(segment.buffer)
  return record, segment.start - 1, max(0, min(segment.size, #record.bytes - segment.start + 1))
end

local function bytes_of(v)
  local record, before, size = view_of(v)
  return record.bytes:sub(before + 1, before + size)
end

-- Puts s over the bytes behind the first `at`.
local function replace(record, at, s)
  local bytes = record.bytes
  record.bytes = bytes:sub(1, at) .. s .. bytes:sub(at + #s + 1)
end

local function check_offset(name, i, offset, size)
  if offset == nil then return 1 end
  offset = check.integer(name, i, offset, 1)
  if offset <= size + 1 then return offset end
  return check.misuse(("bad argument #%d to '%s' (%d is behind the end)"):format(i, name, offset))
end

local function content_of(name, content)
  if is_bytes(content) then return bytes_of(content) end
  if type(content) ~= "string" then check.refuse(name, 1, "string", content) end
  return content
end

local function to_hex(c) return ("%02X "):format(c:byte()) end
local function to_bin(c)
  local byte, digits = c:byte(), {}
  for i = 8, 1, -1 do
    digits[i] = byte % 2 == 1 and "1" or "0"
    byte = floor(byte / 2)
  end
  return table.concat(digits) .. " "
end

local function dump(v, format) return (bytes_of(v):gsub(".", format):gsub(" $", "")) end

for _, kind in ipairs { buffers, segments } do
  local methods, metatable = kind.methods, kind.metatable

  function methods:read(offset, length)
    kind.of(self, "read")
    local record, before, size = view_of(self)
    offset = check_offset("read", 1, offset, size)
    length = min(length == nil and size or check.integer("read", 2, length, 0), size - offset + 1)
    return record.bytes:sub(before + offset, before + offset + length - 1)
  end

  function methods:write(content, offset, length)
    kind.of(self, "write")
    content = content_of("write", content)
    local record, before, size = view_of(self)
    offset = check_offset("write", 2, offset, size)
    if length ~= nil then content = content:sub(1, check.integer("write", 3, length, 0)) end
    local room = size - offset + 1
    if #content > room then
      check.misuse(("bad argument #1 to 'write' (%d bytes do not fit into %d)"):format(#content, room))
    end
    replace(record, before + offset - 1, content)
  end

  function methods:clear()
    kind.of(self, "clear")
    local record, before, size = view_of(self)
    replace(record, before, ("\0"):rep(size))
  end

  function methods:toHex() return dump(self, to_hex, kind.of(self, "toHex")) end
  function methods:toBin() return dump(self, to_bin, kind.of(self, "toBin")) end

  function metatable.__len(self) return (select(3, view_of(self))) end
  function metatable.__eq(a, b) return bytes_of(a) == bytes_of(b) end

  -- Byte i, if there is one.
  local function byte_at(self, i)
    local record, before, size = view_of(self)
    if i >= 1 and i <= size then return record.bytes:byte(before + i) end
  end
  function kind.get(self, key)
    if type(key) == "number" then return byte_at(self, key) end
    return kind.field and kind.field(self, key)
  end
  function metatable.__newindex(self, key, value)
    if type(key) ~= "number" then return kind.set_field(self, key, value) end
    if not byte_at(self, key) then check.misuse(("index %s is not in the %s"):format(tostring(key), kind.name)) end
    value = check.integer("__newindex", 2, value, 0)
    if value > 255 then check.misuse(("a byte is at most 255, got %d"):format(value)) end
    local record, before = view_of(self)
    replace(record, before + key - 1, string.char(value))
  end
end

-- ---------------------------------------------------------------- buffers

local function new(content, length)
  local bytes
  if type(content) == "number" then
    bytes = ("\0"):rep(check.integer("Buffer", 1, content, 0))
  else
    bytes = content_of("Buffer", content)
    length = length == nil and #bytes or check.integer("Buffer", 2, length, 0)
    bytes = bytes:sub(1, length) .. ("\0"):rep(length - #bytes)
  end
  return buffers.new { bytes = bytes }
end

function buffers.describe(record) return ("[%d]"):format(#record.bytes) end
function buffers.metatable.__add(a, b) return new(content_of("__add", a) .. content_of("__add", b)) end
function buffers.set_field(_, key) check.misuse(("a T.Buffer has no field '%s'"):format(tostring(key))) end

-- ---------------------------------------------------------------- segments

local function segment_of(buffer, start, size)
  local length = #buffers.of(buffer, "Segment").bytes
  start = check_offset("Segment", 1, start, length)
  local rest = length - start + 1
  size = size == nil and rest or check.integer("Segment", 2, size, 0)
  if size > rest then
    check.misuse(("bad argument #2 to 'Segment' (%d bytes from %d on are not in the buffer)"):format(size, start))
  end
  return segments.new { buffer = buffer, start = start, size = size }
end
buffers.methods.Segment = segment_of

function segments.describe(record) return ("[%d:%d]"):format(record.start, record.size) end

function segments.field(self, key)
  local record = segments.record(self)
  if key == "last" then return record.start + record.size - 1 end
  if key == "buffer" or key == "start" or key == "size" then return record[key] end
end

-- The window that results has to be in the buffer.
local function move(record, start, size)
  if start < 1 or size < 0 or start + size - 1 > #record.buffer then return false end
  record.start, record.size = start, size
  return true
end

function segments.set_field(self, key, value)
  local record = segments.record(self)
  local start, size = record.start, record.size
  if key ~= "start" and key ~= "size" and key ~= "last" then
    check.misuse(("a T.Buffer.Segment has no field '%s' to set"):format(tostring(key)))
  end
  value = check.integer(key, 1, value, 0)
  if key == "start" then start, size = value, start + size - value end
  if key == "size" then size = value end
  if key == "last" then size = value - start + 1 end
  if move(record, start, size) then return end
  check.misuse(("bad value of '%s' (%d: not in the buffer)"):format(key, value))
end

function segments.methods:shift(by)
  local record = segments.of(self, "shift")
  return move(record, record.start + check.integer("shift", 1, by), record.size)
end

function segments.methods:next()
  local record = segments.of(self, "next")
  local start = record.start + record.size
  local rest = #record.buffer - start + 1
  return rest > 0 and move(record, start, min(record.size, rest))
end

return setmetatable({
  Size = 8192, is = is_bytes, Segment = segment_of,
  -- Of T.Net.Socket.
  bytes_of = bytes_of,
}, { __call = function(_, ...) return new(...) end, __index = buffers.methods })
