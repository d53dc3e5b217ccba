-- SPDX-License-Identifier: MIT
-- Accepts one connection, reads nothing until another one comes, then all, and answers with the count.

local weft = require "weft"

weft.run(function()
  local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
  print("listening on", listener:address())
  io.stdout:flush()
  local stream = assert(listener:accept())
  assert(listener:accept()):close()
  local n = 0
  while true do
    local bytes = stream:read_some()
    if not bytes then break end
    n = n + #bytes
  end
  stream:write(tostring(n))
  stream:close()
  listener:close()
end)
