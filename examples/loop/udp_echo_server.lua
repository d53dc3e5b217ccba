-- SPDX-License-Identifier: MIT
-- An echo server over UDP: each datagram goes back to where it came from.
--
--   udp_echo_server.lua [host [port]]

local Loop = require "t.Loop"
local Socket = require "t.Net.Socket"
local Address = require "t.Net.Address"

local l = Loop()
local server = assert(Socket "udp")
local address, message = server:bind(arg[1] or "127.0.0.1", tonumber(arg[2] or 0))
if not address then error(message) end

local from = Address()
l:addHandle(server, "read", function()
  local bytes = server:recv(from)
  if bytes then server:send(bytes, from) end
end)
print(("listening on %s port %d"):format(address.ip, address.port))
io.stdout:flush()
l:run()
