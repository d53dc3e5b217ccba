-- SPDX-License-Identifier: MIT
-- What every fiber is doing.
local core = require "weft.core"
local report = require "weft.report"
local dump = require "weft.dump"
local waits = require "weft.waits"

local inspect = {}

function inspect.fibers()
  local list = core.fibers()
  for i = 1, #list do
    local f = list[i]
    local why, seconds = waits.describe(f)
    list[i] = {
      id = core.fiber_id(f), name = f:name(), state = f:status(), waiting = why,
      since = seconds and core.now() - seconds,
      scope = tostring(core.fiber_scope(f)), line = report.spawned(f), daemon = core.fiber_is_daemon(f),
    }
  end
  return list
end

inspect.dump = dump.text

inspect.counters = core.counters

function inspect.backend()
  local name, features, fallback = core.backend()
  if not name then return nil end
  return { name = name, features = features, fallback = fallback ~= "" and fallback or nil }
end

return inspect
