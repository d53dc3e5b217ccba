-- SPDX-License-Identifier: MIT
-- The texts about all fibers: the dump, and the report of a deadlock.
local core = require "weft.core"
local report = require "weft.report"
local waits = require "weft.waits"

local dump = {}
local hooks = report.hooks

-- One line a fiber, then where it stands.
local function fiber_lines(fiber, traceback)
  local line = ("fiber %s: %s"):format(report.title(fiber), fiber:status())
  local why, seconds = waits.describe(fiber)
  if why then line = line .. (", waits %s for %.3f s"):format(why:find("^to ") and why or "for " .. why, seconds) end
  local spawned = report.spawned(fiber)
  if spawned then line = line .. ", spawned at " .. spawned end
  local thread = core.fiber_thread(fiber)
  return line .. "\n" .. (traceback or thread and debug.traceback(thread) or "")
end

function hooks.deadlock()
  local lines = { "deadlock: every fiber waits and nothing can wake one" }
  local list = core.fibers()
  for _, circle in ipairs(waits.circles(list)) do lines[#lines + 1] = circle end
  for i = 1, #list do
    if not core.fiber_is_daemon(list[i]) then lines[#lines + 1] = fiber_lines(list[i]) end
  end
  return table.concat(lines, "\n")
end

function dump.text()
  local list, lines = core.fibers(), {}
  local me = core.self()
  for i = 1, #list do
    lines[i] = fiber_lines(list[i], list[i] == me and debug.traceback("", 2):sub(2))
  end
  return table.concat(lines, "\n")
end

-- To stderr, from a hook in the running fiber.
function hooks.dump() io.stderr:write("weft: ", dump.text(), "\n") end

return dump
