-- SPDX-License-Identifier: MIT
-- An echo server over TCP, in callbacks: what comes is sent back, until the client has no more.
--
--   tcp_echo_server.lua [host [port]]

local Loop = require "t.Loop"
local Socket = require "t.Net.Socket"
local Buffer = require "t.Buffer"

local l = Loop()

-- send waits until all has been taken; the other clients are served meanwhile.
local function echo(client, buffer)
  local ok, n = client:recv(buffer)
  if ok and client:send(buffer:Segment(1, n)) then return end
  l:removeHandle(client, "read")
  client:close()
end

local function accept(server)
  local client = server:accept()
  if not client then return end
  client.nodelay = true
  l:addHandle(client, "read", echo, client, Buffer(16384))
end

local server, address = Socket.listen(arg[1] or "127.0.0.1", tonumber(arg[2] or 0))
if not server then error(address) end
print(("listening on %s port %d"):format(address.ip, address.port))
io.stdout:flush()
l:addHandle(server, "read", accept, server)
l:run()
