-- SPDX-License-Identifier: MIT
-- LuaVortex's server: the engine's threads call the handler themselves, and nobody yields.
local engine = require "vortex_engine"

local ctx
ctx = engine.new(function(conn, number, content)
  if content == "quit" then return ctx:unlock_listeners() end
  ctx:send_rpy(conn, content:upper(), number)
end, "enter")

print("listening on 127.0.0.1 " .. ctx:create_listener())
io.stdout:flush()
ctx:wait_listeners()
ctx:close()
print "the server ends"
