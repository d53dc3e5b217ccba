-- SPDX-License-Identifier: MIT
-- The document's first example. With lua-t and epoll it failed ("Operation not permitted"); here a regular file is
-- always ready, with every backend.
--
--   regular_file.lua [file]

local Loop = require "t.Loop"

local l = Loop()
local f = assert(io.open(arg[1] or "/etc/passwd", "r"))
local function p(fl)
  print(fl:read("*a"))
  l:removeHandle(fl, "r")
end
l:addHandle(f, "r", p, f)
l:run()
f:close()
