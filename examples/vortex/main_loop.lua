-- SPDX-License-Identifier: MIT
-- LuaVortex's second client: a main loop that watches the engine's descriptor among others. Not in a fiber (so not
-- under `weft run`): whoever has a main loop owns the thread.
--   main_loop.lua port
local vortex = require "vortex"
local engine = require "vortex_engine"

local replies, turns = 0, 0
local ctx = engine.new(function(_, number, content)
  replies = replies + 1
  print(("reply %d: %s"):format(number, content))
end)
local conn = assert(ctx:connect(tonumber(arg[1])))
for i = 1, 3 do ctx:send_msg(conn, "message " .. i) end

while replies < 3 do
  -- wait for events (graphical and vortex events)
  local event_fd = vortex.event_fd()

  -- main loop: watch for events
  engine.main_loop { event_fd }
  turns = turns + 1

  -- handle, among other things, events from vortex engine
  if vortex.wait_events(1) then
    -- it is recommended to not yield for ever
    vortex.yield(1)
  end
end
print(turns < 100 and "no busy waiting" or turns)
ctx:close()
