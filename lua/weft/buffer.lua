-- SPDX-License-Identifier: MIT
-- weft.buffer: what it is made with, and reading into one (frames.lua says why 5.1 has a frame of its own).
local core = require "weft.core"
local check = require "weft.check"

local buffer, stream = core.method_table "buffer", core.method_table "stream"
local read_now, read_on = stream._read_into, stream._read_into_on
stream._read_into, stream._read_into_on = nil, nil

local function check_stream(o)
  if not core.is_type("stream", o) then check.refuse(check.argument("read_into", 1), "stream", o) end
end

if core.has_continuations then
  function buffer:read_into(from, max)
    check_stream(from)
    return read_now(from, max, self)
  end
else
  function buffer:read_into(from, max)
    check_stream(from)
    local done, n, message, code = read_now(from, max, self)
    while not done do done, n, message, code = read_on(from, max, self) end
    if n or not code then return n end
    return nil, message, code
  end
end

return core.buffer
