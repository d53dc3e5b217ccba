-- SPDX-License-Identifier: MIT
-- Sends datagrams to an echo server and waits for each to come back; what is lost is sent once more.
--
--   udp_echo_client.lua host port [messages]

local Loop = require "t.Loop"
local Socket = require "t.Net.Socket"
local Address = require "t.Net.Address"

local server, messages = Address(arg[1], tonumber(arg[2])), tonumber(arg[3] or 10)
local again_after = 500                   -- milliseconds

local l = Loop()
local socket = assert(Socket "udp")
local number, resend = 0, nil

local function text() return "message " .. number end

local function send()
  socket:send(text(), server)
  return again_after
end

local function next_message()
  if resend then l:cancelTask(resend) end
  number = number + 1
  if number > messages then
    l:removeHandle(socket, "read")
    return
  end
  send()
  resend = l:addTask(again_after, send)
end

l:addHandle(socket, "read", function()
  local from = Address()
  local bytes = socket:recv(from)
  if bytes == text() and from == server then next_message() end
end)
next_message()
l:run()
socket:close()
print(("%d messages came back"):format(messages))
