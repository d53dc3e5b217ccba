-- SPDX-License-Identifier: MIT
--
-- A TCP proxy in front of any server:
--
--   weft run examples/proxy.lua target-host target-port [listen-port [listen-host]]
--
-- Port 0 (the default) takes a free one; the first line of output names it.
--   * Back-pressure: a pump reads again only when what it read was sent, so a slow reader
--     on one side slows the writer on the other, and memory stays small.
--   * Half-close: when one side has no more to say, the other side hears of just that, and
--     its answer still comes through.
--   * When one direction fails, its connection ends in both, and no other is harmed.

local weft = require "weft"
local tcp = weft.net.tcp

local target_host, target_port = arg[1], tonumber(arg[2])
local listen_port, listen_host = tonumber(arg[3] or 0), arg[4] or "127.0.0.1"
if not (target_host and target_port and listen_port) then
  io.stderr:write("usage: proxy.lua target-host target-port [listen-port [listen-host]]\n")
  os.exit(2)
end

local function pump(from, to)
  while true do
    local bytes, message = from:read_some()
    if message then error(message, 0) end
    if not bytes then break end           -- the end of this direction
    assert(to:write(bytes))
  end
  to:shutdown("w")
end

local function serve(client)
  local server, message = tcp.connect(target_host, target_port)
  if not server then
    io.stderr:write("proxy: ", message, "\n")
    client:close()
    return
  end
  local ok, why = weft.pcall(weft.scope, function(s)
    s:spawn(pump, client, server)
    s:spawn(pump, server, client)
  end)
  client:close()
  server:close()
  if not ok and not weft.is_cancelled(why) then
    io.stderr:write("proxy: ", tostring(why), "\n")
  end
end

weft.run(function()
  local listener = assert(tcp.listen(listen_host, listen_port))
  print("listening on", listener:address())
  io.stdout:flush()
  while true do weft.spawn(serve, assert(listener:accept())) end
end)
