-- SPDX-License-Identifier: MIT
-- Writes 64 MiB at once to slow_server.lua behind a proxy; must be held back until it reads, which it does when
-- there is a second connection.

local weft = require "weft"

weft.run(function()
  local stream = assert(weft.net.tcp.connect("127.0.0.1", tonumber(arg[1])))
  local chunk = ("x"):rep(1024 * 1024)
  local written = 0
  local writer = weft.spawn(function()
    for _ = 1, 64 do
      assert(stream:write(chunk))
      written = written + 1
    end
    assert(stream:shutdown("w"))
  end)
  -- Until it gets on no more.
  local before
  repeat
    before = written
    weft.sleep(0.25)
  until written == before
  local held = written < 32 and "held back" or "not held back, after " .. written .. " MiB"
  assert(weft.net.tcp.connect("127.0.0.1", tonumber(arg[1]))):close()
  writer:join()
  local parts = {}
  while true do
    local bytes = stream:read_some()
    if not bytes then break end
    parts[#parts + 1] = bytes
  end
  stream:close()
  print(held .. ", and " .. table.concat(parts) .. " bytes arrived")
end)
