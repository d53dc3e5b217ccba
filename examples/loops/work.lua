-- SPDX-License-Identifier: MIT
-- What the programs of examples/loops run inside their main loops: fibers that sleep, a server and a client, and
-- posts of a native thread. The host has set ticks(handler) and quit().
-- luacheck: globals ticks quit
local weft = require "weft"

local slept, echoed, ticked = 0, 0, 0

local function sleeper()
  for _ = 1, 5 do
    weft.sleep(0.003)
    slept = slept + 1
  end
end

local function serve(listener)
  local stream = assert(listener:accept())
  local bytes = stream:read_some()
  while bytes do
    stream:write(bytes)
    bytes = stream:read_some()
  end
  stream:close()
end

local function client(port)
  local stream = assert(weft.net.tcp.connect("127.0.0.1", port))
  for i = 1, 5 do
    stream:write("message " .. i)
    if stream:read_some() == "message " .. i then echoed = echoed + 1 end
  end
  stream:close()
end

weft.spawn(function()
  local all = weft.oneshot()
  ticks(function(i)
    ticked = ticked + 1
    if i == 5 then all:set(true) end
  end)
  local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local _, port = listener:address()
  weft.scope(function(s)
    s:spawn(sleeper)
    s:spawn(serve, listener)
    s:spawn(client, port)
  end)
  listener:close()
  all:get()
  print(("slept %d times, %d echoes, %d posts"):format(slept, echoed, ticked))
  io.stdout:flush()
  quit()
end)
