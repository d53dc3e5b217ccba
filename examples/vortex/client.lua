-- SPDX-License-Identifier: MIT
-- LuaVortex's first client: it owns the execution, and lets the engine's threads in with vortex.yield.
--   client.lua port [quit]
local vortex = require "vortex"
local engine = require "vortex_engine"

local replies = 0
local ctx = engine.new(function(_, number, content)
  replies = replies + 1
  print(("reply %d: %s"):format(number, content))
end)
local conn = assert(ctx:connect(tonumber(arg[1])))

for i = 1, 3 do
  -- send message
  if ctx:send_msg(conn, "This is a test...") == nil then
    print "ERROR: expected to find proper send operation.."
    return
  end

  -- now yield
  print "Let other threads to enter.."
  while replies < i do vortex.yield(1000000) end

  -- if we are here, we own the execution
end
if arg[2] then ctx:send_msg(conn, arg[2]) end
ctx:close()
