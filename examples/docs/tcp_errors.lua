-- SPDX-License-Identifier: MIT
local weft = require "weft"
local tcp = weft.net.tcp

weft.run(function()
  local listener = assert(tcp.listen("127.0.0.1", 0))
  local host, port = listener:address()
  print(select(3, tcp.listen(host, port))) --> EADDRINUSE
  listener:close()
  print(select(3, tcp.connect(host, port))) --> ECONNREFUSED
end)
