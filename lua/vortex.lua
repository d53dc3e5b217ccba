-- SPDX-License-Identifier: MIT
-- LuaVortex's way for a program to let the threads of a library in: see docs/main-loops.md. Times are microseconds.
local embed = require("weft").embed

local vortex = {}

-- Absent or 0: for ever. What is left of a time that is over, a negative number, waits for nothing.
local function seconds(usec, name)
  if usec == nil or usec == 0 then return nil end
  if type(usec) ~= "number" or usec ~= usec then
    error(("bad argument #1 to '%s' (number expected, got %s)"):format(name, type(usec)), 3)
  end
  return math.max(usec, 0) / 1e6
end

function vortex.yield(usec) return embed.yield(seconds(usec, "yield")) end

function vortex.event_fd() return embed.event_fd() end

function vortex.wait_events(usec) return embed.wait_events(seconds(usec, "wait_events")) end

return vortex
