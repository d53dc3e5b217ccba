-- SPDX-License-Identifier: MIT
-- The listing of a loop, as its document prints it.
local check = require "t.check"
local nodes = require "t.loop.nodes"
local tasks = require "t.loop.tasks"

local function shown(v)
  if type(v) == "string" then return "`" .. v .. "`" end
  if type(v) == "number" or type(v) == "boolean" or v == nil then return tostring(v) end
  return check.name_of(v)
end

local function call_text(c)
  local parts = {}
  for i = 1, c.n do parts[i] = i == 1 and "function" or shown(c.shown[i]) end
  return table.concat(parts, " ")
end

-- Whole milliseconds, rounded up but for the noise of the clock's fractions.
local function milliseconds_left(loop, task) return math.max(0, math.ceil(tasks.left(loop, task) - 1e-3)) end

return function(loop)
  local timers, handles = {}, {}
  local task = tasks.first(loop)
  while task do
    timers[#timers + 1] = ("%3d  {%5dms}  %s"):format(#timers + 1, milliseconds_left(loop, task), call_text(task.call))
    task = tasks.after(task)
  end
  for _, node in ipairs(nodes.list(loop)) do
    for _, dir in ipairs { "write", "read" } do
      local c = node.calls[dir]
      if c then
        handles[#handles + 1] = ("%3d  [%s]  %s"):format(node.descriptor, dir == "read" and "R" or "W", call_text(c))
      end
    end
  end
  local first = tasks.first(loop)
  local soonest = first and milliseconds_left(loop, first) or 0
  table.insert(timers, 1, ("T.Loop[%d]: %s TIMER LIST:"):format(soonest, loop.address))
  table.insert(handles, 1, ("T.Loop{%d} %s HANDLE LIST:"):format(#handles, loop.address))
  return table.concat(timers, "\n") .. "\n" .. table.concat(handles, "\n")
end
