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

local function start(id)
  local socket = assert(Socket.connect(server))
  local sent, want, got = 0, nil, nil

  local function next_message()
    if sent == messages then
      l:removeHandle(socket, "read")
      socket:close()
      done = done + 1
      return
    end
    sent = sent + 1
    want, got = ("client %d, message %d;"):format(id, sent):rep(10), ""
    assert(socket:send(want) == #want)
  end

  local function read()
    local bytes, message = socket:recv()
    if not bytes then error("the server has gone: " .. tostring(message)) end
    got = got .. bytes
    if #got < #want then return end
    assert(got == want, "something else came back")
    next_message()
  end

  l:addHandle(socket, "read", read)
  next_message()
end

for id = 1, clients do l:addTask(1, start, id) end
l:addTask(600000, function() error "it takes too long" end)
l:addTask(5, function()
  if done < clients then return 5 end
  l:clean()
end)
l:run()
print(("%d clients, %d messages each: all came back"):format(clients, messages))
