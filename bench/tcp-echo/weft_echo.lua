-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function serve(stream)
  local bytes = stream:read_some()
  while bytes and stream:write(bytes) do bytes = stream:read_some() end
  stream:close()
end

weft.run(function(port)
  local listener = assert(weft.net.tcp.listen("127.0.0.1", port))
  while true do weft.spawn(serve, assert(listener:accept())) end
end, tonumber(arg[1]))
