-- SPDX-License-Identifier: MIT
-- What every fiber is doing.
local core = require "weft.core"
local report = require "weft.report"

local inspect = {}

function inspect.fibers()
  local list = core.fibers()
  for i = 1, #list do
    local f = list[i]
    local why, since = core.fiber_waiting(f)
    list[i] = {
      id = core.fiber_id(f), name = f:name(), state = f:status(), waiting = why, since = since,
      scope = tostring(core.fiber_scope(f)), line = report.spawned(f), daemon = core.fiber_is_daemon(f),
    }
  end
  return list
end

inspect.dump = report.dump

inspect.counters = core.counters

return inspect
