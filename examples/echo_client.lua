-- SPDX-License-Identifier: MIT
--
-- Talks to echo_server.lua: weft run examples/echo_client.lua host port [clients [messages]]
-- Each client sends its messages, checks that each comes back, and gives up after a minute.

local weft = require "weft"

local host, port = arg[1], tonumber(arg[2])
local clients, messages = tonumber(arg[3] or 10), tonumber(arg[4] or 100)
if not (host and port and clients and messages) then
  io.stderr:write("usage: echo_client.lua host port [clients [messages]]\n")
  os.exit(2)
end

-- The same call with a time-out: the operation, and what to do with it.
local function read_some(stream, seconds)
  return weft.timeout(stream:read_some_op(), seconds):perform()
end

local function read_exactly(stream, n)
  local parts = {}
  while n > 0 do
    local bytes, message = read_some(stream, 60)
    if not bytes then error(message or "the server has ended", 0) end
    parts[#parts + 1] = bytes
    n = n - #bytes
  end
  return table.concat(parts)
end

local function talk(id)
  local stream = assert(weft.net.tcp.connect(host, port))
  for i = 1, messages do
    local text = ("client %d, message %d"):format(id, i)
    assert(stream:write(text))
    assert(read_exactly(stream, #text) == text)
  end
  assert(stream:shutdown("w"))            -- no more from us
  assert(read_some(stream, 60) == nil)     -- and no more from the server
  stream:close()
end

weft.run(function()
  weft.scope(function(s)                  -- the first client that fails ends them all
    for id = 1, clients do s:spawn(talk, id) end
  end)
  print(("%d clients, %d messages each: all came back"):format(clients, messages))
end)
