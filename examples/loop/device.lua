-- SPDX-License-Identifier: MIT
-- The document's second example: a device. It says how many bytes came, for they are random.

local Loop = require "t.Loop"

local l = Loop()
local f = assert(io.open("/dev/random", "r"))
f:setvbuf "no"
local function p(fl)
  print(#fl:read(45))                     --> 45
  l:stop()
end
l:addHandle(f, "r", p, f)
l:run()
f:close()
