-- SPDX-License-Identifier: MIT
local copas = require "copas"
local socket = require "socket"

copas.addserver(assert(socket.bind("127.0.0.1", tonumber(arg[1]), 1024)), function(stream)
  stream:setoption("tcp-nodelay", true)
  while true do
    local bytes, problem, partial = copas.receivePartial(stream, 16384)
    bytes = bytes or partial
    if problem == "closed" or not bytes then break end
    if #bytes > 0 then copas.send(stream, bytes) end
  end
end)
copas.loop()
