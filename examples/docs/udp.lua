-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local server = assert(weft.net.socket { type = "datagram" })
  assert(server:bind("127.0.0.1", 0))
  weft.daemon(function()
    while true do
      local bytes, host, port = server:recvfrom()
      server:sendto(bytes:upper(), host, port)
    end
  end)

  local client = assert(weft.net.socket { type = "datagram" })
  client:sendto("hello", server:address())
  print((weft.timeout(client:recvfrom_op(), 60):perform())) --> HELLO
  client:close()
end)
