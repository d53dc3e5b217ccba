-- SPDX-License-Identifier: MIT
-- Many connections to an echo server, in one loop: each sends its messages one by one, and waits for each to come
-- back whole.
--
--   tcp_echo_client.lua host port [clients [messages]]

local Loop = require "t.Loop"
local Socket = require "t.Net.Socket"
local Address = require "t.Net.Address"

local server = Address(arg[1], tonumber(arg[2]))
local clients, messages = tonumber(arg[3] or 10), tonumber(arg[4] or 10)

local l = Loop()
local done = 0

local next_message, read

-- A client's state is a table: some LuaJITs lose what closures share (docs/coroutines.md).
local function start(id)
  local client = { id = id, socket = assert(Socket.connect(server)), sent = 0 }
  l:addHandle(client.socket, "read", read, client)
  next_message(client)
end

function next_message(client)
  local socket = client.socket
  if client.sent == messages then
    l:removeHandle(socket, "read")
    socket:close()
    done = done + 1
    return
  end
  client.sent = client.sent + 1
  client.want, client.got = ("client %d, message %d;"):format(client.id, client.sent):rep(10), ""
  assert(socket:send(client.want) == #client.want)
end

function read(client)
  local bytes, message = client.socket:recv()
  if not bytes then error("the server has gone: " .. tostring(message)) end
  client.got = client.got .. bytes
  if #client.got < #client.want then return end
  assert(client.got == client.want, "something else came back")
  next_message(client)
end

for id = 1, clients do l:addTask(1, start, id) end
l:addTask(600000, function() error "it takes too long" end)
l:addTask(5, function()
  if done < clients then return 5 end
  l:clean()
end)
l:run()
print(("%d clients, %d messages each: all came back"):format(clients, messages))
