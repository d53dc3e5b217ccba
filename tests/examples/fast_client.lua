-- SPDX-License-Identifier: MIT
-- Writes 64 MiB at once to slow_server.lua behind a proxy; must be held back until it reads.

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
  weft.sleep(0.25)
  local held = written < 32 and "held back" or "not held back, after " .. written .. " MiB"
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
