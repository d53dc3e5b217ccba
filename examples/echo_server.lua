-- SPDX-License-Identifier: MIT
--
-- Sends back what each client sends: weft run examples/echo_server.lua [host [port]]
-- Port 0 takes a free one; the first line of output names it. Ctrl-C ends it.

local weft = require "weft"

local host, port = arg[1] or "127.0.0.1", tonumber(arg[2] or 7007)

local function echo(stream)
  while true do
    local bytes, message = stream:read_some()
    if not bytes then return message end  -- no message: the client has ended
    local sent, why = stream:write(bytes) -- waits while the client does not read
    if not sent then return why end
  end
end

weft.run(function()
  local listener = assert(weft.net.tcp.listen(host, port))
  print("listening on", listener:address())
  io.stdout:flush()
  while true do
    local stream = assert(listener:accept())
    weft.spawn(function()
      local message = echo(stream)
      if message then io.stderr:write("echo: ", message, "\n") end
      stream:close()
    end)
  end
end)
