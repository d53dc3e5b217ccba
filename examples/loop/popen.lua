-- SPDX-License-Identifier: MIT
-- The document's third example: the output of a program.
--
--   popen.lua [command]

local Loop = require "t.Loop"

local l = Loop()
local f = assert(io.popen(arg[1] or "date"))
local function p(fl)
  io.write(fl:read("*a"))
  l:stop()
end
l:addHandle(f, "r", p, f)
l:run()
f:close()
