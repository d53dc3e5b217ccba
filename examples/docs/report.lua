-- SPDX-License-Identifier: MIT
local weft = require "weft" -- with lua5.4: under weft run this is inside a run already

local function parse(line) error("cannot parse " .. line) end

local ok, report = pcall(weft.run, function()
  weft.spawn(function() parse("line 7") end):name("parser")
  weft.sleep(3600)
end)

-- The message, the fiber, where it failed, and the line where it was spawned.
print(ok)                                 --> false
print(report:match("cannot parse line 7")) --> cannot parse line 7
print(report:match("parser"))             --> parser
print(report:match("stack traceback"))    --> stack traceback
