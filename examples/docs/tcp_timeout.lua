-- SPDX-License-Identifier: MIT
local weft = require "weft"
local tcp = weft.net.tcp

weft.run(function()
  local listener = assert(tcp.listen("127.0.0.1", 0))
  local client = assert(tcp.connect(listener:address()))
  local server = assert(listener:accept())

  local read = weft.timeout(server:read_some_op(), 0.02)
  print(read:perform())                   --> nil	timeout	timeout
  client:write("late, and whole")         -- a read that lost took nothing
  print(server:read_some())               --> late, and whole

  -- Waiting for a socket and a channel at once.
  local quit = weft.channel(1)
  quit:put("enough")
  print(weft.select {                     --> quit	enough
    data = server:read_some_op(),
    quit = quit:get_op(),
  })

  client:close()
  server:close()
  listener:close()
end)
