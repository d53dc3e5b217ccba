-- SPDX-License-Identifier: MIT
-- weft.embed: a runtime that somebody else's main loop drives, and what native threads see of it (weft.h).
local core = require "weft.core"
local coroutines = require "weft.coroutines"
local report = require "weft.report"

local crossing = { ["nil"] = true, boolean = true, number = true, string = true }

return function(weft)
  local embed = {}

  -- A host in C++ passes a worker of its own, which then drives.
  function embed.attach(worker)
    if core.embed_attach(worker) then coroutines.replace() end
  end

  local function attached()
    if not core.attached() then embed.attach() end
  end

  function embed.detach()
    core.embed_detach()
    coroutines.restore()
  end

  local function raise_first(failures)
    local first = report.first(failures)
    if first then error(report.raised(first), 0) end
  end

  function embed.step(seconds)
    attached()
    local ran, deadline, failures = core.embed_step(seconds)
    raise_first(failures)
    return ran, deadline
  end

  local function yield_in_fiber(seconds)
    if seconds == 0 then
      weft.yield()
      return false
    end
    local op = core.embed_served_op():wrap(function() return true end)
    if seconds then op = weft.race { op, weft.sleep_op(seconds):wrap(function() return false end) } end
    return op:perform()
  end

  function embed.yield(seconds)
    local _, inside = core.attached()
    if inside then return yield_in_fiber(seconds) end
    attached()
    local served, failures = core.embed_yield(seconds)
    raise_first(failures)
    return served
  end

  function embed.event_fd()
    attached()
    return core.embed_event_fd()
  end

  function embed.wait_events(seconds)
    attached()
    return core.embed_wait_events(seconds)
  end

  -- ---- events of native threads ----

  local function crossed(value)
    if crossing[type(value)] then return value end
    return tostring(value)
  end

  local function crossed_all(...)
    local values = { ... }
    for i = 1, select("#", ...) do values[i] = crossed(values[i]) end
    return (table.unpack or unpack)(values, 1, select("#", ...)) -- luacheck: ignore
  end

  -- The failure goes to the thread that waits, or, when it has left, where that of any event goes.
  local function answered(box, ok, ...)
    if core.reply(box, ok, crossed_all(...)) or ok then return end
    error((...), 0)
  end

  core.set_answer(function(box, handler, ...) return answered(box, weft.pcall(handler, ...)) end)

  local on_error

  local function traced(e) return { e, debug.traceback(tostring(e), 2) } end

  local function guarded(ok, e)
    if ok then return end
    if weft.is_cancelled(e[1]) then error(e[1], 0) end
    on_error(e[1], e[2])
  end

  -- f(error, traceback) is called, in a fiber, for each event that fails; nil: it fails the root scope.
  function embed.on_error(f)
    if f ~= nil and type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'on_error' (function or nil expected, got %s)"):format(type(f)))
    end
    on_error = f
    core.set_guard(f and function(handler, ...) return guarded(weft.xpcall(handler, traced, ...)) end)
  end

  weft.embed = embed
  core.set_embed(embed)
end
