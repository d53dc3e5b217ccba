-- SPDX-License-Identifier: MIT
-- weft.run: drives a program. Inside a fiber it is weft.scope.
local core = require "weft.core"
local report = require "weft.report"
local coroutines = require "weft.coroutines"

local unpack = table.unpack or unpack -- luacheck: ignore
local run_options = {
  backend = "string", drain = "boolean", watchdog = "number", preempt = "number", dump_signal = "string",
}

local function check_options(name, opts, known)
  for key, value in pairs(opts) do
    local expected = known[key]
    if not expected then core.misuse(("unknown option '%s' of %s"):format(tostring(key), name)) end
    if type(value) ~= expected then
      core.misuse(("bad option '%s' of %s (%s expected, got %s)"):format(key, name, expected, type(value)))
    end
  end
end

local function arguments(opts, f, ...)
  if type(opts) == "table" and getmetatable(opts) == nil then
    check_options("run", opts, run_options)
    if type(f) ~= "function" then
      core.misuse(("bad argument #2 to 'run' (function expected, got %s)"):format(type(f)))
    end
    return opts, f, ...
  end
  if type(opts) ~= "function" then
    core.misuse(("bad argument #1 to 'run' (function expected, got %s)"):format(type(opts)))
  end
  return {}, opts, f, ...
end

return function(weft)
  local function results(main)
    local kept = core.extras(main)
    if not kept or not kept.n then return end
    return unpack(kept, 1, kept.n)
  end

  local function ended(ok, main, failures, verdict, interrupted)
    coroutines.restore()
    if not ok then error(main, 0) end
    if not main then error(failures, 0) end
    if verdict ~= true then error(report.errors.deadlock.new { message = verdict }, 0) end
    local first = report.first(failures)
    if first then error(report.raised(first), 0) end
    if interrupted or main:status() == "cancelled" then error(report.cancelled(main), 0) end
    return results(main)
  end

  local function returned(...)
    core.cancel_root()
    return ...
  end

  local function seconds(opts)
    return { watchdog = (opts.watchdog or 0) / 1000, preempt = (opts.preempt or 0) / 1000 }
  end

  local function cancelled(s, ...)
    s:cancel()
    return ...
  end

  -- What runs inside a run watch for, by its root scope: the strictest of each holds.
  local watched = setmetatable({}, { __mode = "k" })

  local function watch(list)
    local function strictest(name)
      local least = math.huge
      for asked in pairs(list) do
        if asked[name] > 0 then least = math.min(least, asked[name]) end
      end
      return least < math.huge and least or 0
    end
    return core.watch(strictest "watchdog", strictest "preempt")
  end

  local function watch_also(opts, s)
    local root = core.root_scope()
    local list = watched[root]
    if not list then
      local watchdog, preempt = watch {}
      list = { [{ watchdog = watchdog, preempt = preempt }] = true }
      watched[root] = list
    end
    local asked = seconds(opts)
    list[asked] = true
    watch(list)
    s:defer(function()
      list[asked] = nil
      watch(list)
    end)
  end

  -- A run inside a fiber is a scope; what it watches for holds for all fibers until the scope ends.
  local function drive_inside(opts, f, ...)
    local values = { n = select("#", ...), ... }
    local backend = core.counters().backend
    if opts.backend and opts.backend ~= backend then
      core.misuse(("option 'backend' of run (%s): the run around this one is driven by %s"):format(
        opts.backend, backend))
    end
    return weft.scope(function(s)
      if opts.watchdog or opts.preempt then watch_also(opts, s) end
      if opts.drain ~= false then return f(unpack(values, 1, values.n)) end
      return cancelled(s, f(unpack(values, 1, values.n)))
    end)
  end

  -- In a state that is attached a run is driven by the worker that there is.
  local function check_backend(opts)
    local backend = core.counters().backend
    if opts.backend and opts.backend ~= backend then
      core.misuse(("option 'backend' of run (%s): the state is attached to a worker with %s"):format(
        opts.backend, backend))
    end
  end

  local function drive(opts, f, ...)
    if opts.preempt and not core.can_preempt then
      core.misuse "option 'preempt' of run needs Lua 5.3 or later: a hook cannot yield before"
    end
    if opts.dump_signal and not core.catch_dump(opts.dump_signal) then
      core.misuse(("bad option 'dump_signal' of run (%s: SIGQUIT, SIGUSR1 or SIGUSR2)"):format(opts.dump_signal))
    end
    local attached, inside, own = core.attached()
    if inside then return drive_inside(opts, f, ...) end
    if attached then
      if not own then core.misuse "'run': this state is driven by its host; use weft.spawn" end
      check_backend(opts)
    end
    local body = f
    if opts.drain == false then
      function body(...) return returned(f(...)) end
    end
    coroutines.replace()
    return ended(pcall(core.run_loop, false, opts.backend, nil, false, seconds(opts), body, ...))
  end

  -- ---- deterministic tests ----

  local test_options = { seed = "number", virtual_time = "boolean", backend = "string" }
  local next_seed = os.time() % 1000000

  local function seeded(seed, ok, ...)
    if ok then return ... end
    local e = ...
    if type(e) == "string" then error(e .. ("\nweft.test: seed %d"):format(seed), 0) end
    local info = report.going_on_value(e)
    if info then info.seed = seed end
    error(e, 0)
  end

  -- A runtime of its own, also inside a fiber, with a random order of ready fibers and of arms that the
  -- same seed replays, and by default a clock that jumps to the next timer when nothing is ready.
  function weft.test(opts, f, ...)
    if type(opts) ~= "table" then
      core.misuse(("bad argument #1 to 'test' (table expected, got %s)"):format(type(opts)))
    end
    if type(f) ~= "function" then
      core.misuse(("bad argument #2 to 'test' (function expected, got %s)"):format(type(f)))
    end
    check_options("test", opts, test_options)
    local seed = opts.seed
    if not seed then
      next_seed = next_seed + 1
      seed = next_seed
    end
    coroutines.replace()
    return seeded(seed, pcall(ended,
      pcall(core.run_loop, true, opts.backend, seed, opts.virtual_time ~= false, nil, f, ...)))
  end

  -- Tries f under the seeds 1 .. n; raises the first failure with its seed.
  function weft.explore(f, n)
    if type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'explore' (function expected, got %s)"):format(type(f)))
    end
    for seed = 1, n or 1000 do weft.test({ seed = seed }, f) end
    return n or 1000
  end

  function weft.run(...) return drive(arguments(...)) end
end
