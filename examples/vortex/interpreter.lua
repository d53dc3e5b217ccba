-- SPDX-License-Identifier: MIT
-- What each interpreter of interpreters.c runs: a server and a client of its own. In the tenth reply's handler it meets
-- the others, who are then in theirs.
local vortex = require "vortex"
local engine = require "vortex_engine"

local replies, ctx = 0, nil
ctx = engine.new(function(conn, number, content, kind)
  if kind == "M" then return ctx:send_rpy(conn, content, number) end
  replies = replies + 1
  if replies % 10 == 0 then meet() end -- luacheck: globals meet
end)
local conn = assert(ctx:connect(assert(ctx:create_listener())))

for i = 1, 100 do ctx:send_msg(conn, "message " .. i) end
while replies < 100 do vortex.yield() end
ctx:close()
