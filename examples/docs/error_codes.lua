-- SPDX-License-Identifier: MIT
local weft = require "weft"
local tcp = weft.net.tcp

weft.run(function()
  local listener = assert(tcp.listen("127.0.0.1", 0))
  local host, port = listener:address()
  listener:close()

  -- What fails in the world is a result: branch on the code, show the message.
  local stream, message, code = tcp.connect(host, port)
  if not stream and code == "ECONNREFUSED" then
    print("nobody is there")              --> nobody is there
  end
  print(type(message))                    --> string

  -- assert makes an error of it, with the message.
  print((weft.pcall(function() assert(tcp.connect(host, port)) end))) --> false

  -- A mistake in the program raises, at the line of the call.
  local _, e = pcall(function() weft.sleep("soon") end)
  print((e:gsub("^.*bad", "bad")))        --> bad argument #1 to 'sleep' (number expected, got string)
end)
