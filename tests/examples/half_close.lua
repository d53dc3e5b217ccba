-- SPDX-License-Identifier: MIT
-- Writes 8 MiB to an echo server behind a proxy, ends its own side, and reads until the end.

local weft = require "weft"

weft.run(function()
  local stream = assert(weft.net.tcp.connect("127.0.0.1", tonumber(arg[1])))
  local data = ("weft"):rep(2 * 1024 * 1024)
  local writer = weft.spawn(function()
    assert(stream:write(data))
    assert(stream:shutdown("w"))
  end)
  local parts = {}
  while true do
    local bytes, message = stream:read_some()
    if message then error(message) end
    if not bytes then break end
    parts[#parts + 1] = bytes
  end
  writer:join()
  stream:close()
  local got = table.concat(parts)
  assert(got == data, "the bytes differ")
  print(#got .. " bytes came back after the half-close")
end)
