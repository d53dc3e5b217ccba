-- SPDX-License-Identifier: MIT
-- weft.supervise{ children = {...}, restarts = n, within = seconds }: runs the children and starts each again
-- when it fails, the others untouched. More than n restarts of any of them in so many seconds: it gives up,
-- cancels the rest and raises the last error. A child that returns, or is cancelled, is done. Each child has
-- a scope of its own, which it gets as its argument: what it spawns ends before it starts again.
local core = require "weft.core"
local check = require "weft.check"
local ensure = require "weft.ensure"
local protected = require "weft.pcall"

local now = core.now
local known_options = { children = true, restarts = true, within = true }

-- Whether one more restart is within the limit. `times` are those of the last ones.
local function may_restart(times, restarts, within)
  if restarts == math.huge then return true end
  local time, kept = now(), 0
  for i = 1, #times do
    if time - times[i] < within then
      kept = kept + 1
      times[kept] = times[i]
    end
  end
  for i = #times, kept + 1, -1 do times[i] = nil end
  times[kept + 1] = time
  return kept < restarts
end

local function check_children(children)
  if type(children) ~= "table" then
    check.refuse(check.option("supervise", "children"), "table", children)
  end
  for key, f in pairs(children) do
    if not check.is_callable(f) then
      check.refuse(check.option("supervise", ("children[%s]"):format(tostring(key))), "function", f)
    end
  end
  return children
end

-- In order: the array, then those with names.
local function in_order(children)
  local list = {}
  for i = 1, #children do list[i] = { f = children[i] } end
  local names = {}
  for key in pairs(children) do
    if type(key) == "string" then names[#names + 1] = key end
  end
  table.sort(names)
  for i = 1, #names do list[#list + 1] = { f = children[names[i]], name = names[i] } end
  return list
end

local function run_child(weft, s, child, limits)
  while true do
    local fiber = s:async(weft.scope, child.f)
    if child.name then fiber:name(child.name) end
    local ok, e = protected.pcall(fiber.join, fiber)
    if ok then return end
    if ensure.is_cancelled(e) then
      if rawequal(e.fiber, fiber) and fiber:status() == "cancelled" then return end
      if rawequal(e.fiber, core.self()) then error(e, 0) end
    end
    if not may_restart(limits.times, limits.restarts, limits.within) then error(e, 0) end
  end
end

return function(weft)
  function weft.supervise(opts)
    check.options("supervise", 1, opts, known_options)
    local children = in_order(check_children(opts.children))
    local limits = { times = {}, restarts = 3, within = 5 }
    if opts.restarts == math.huge then
      limits.restarts = math.huge
    elseif opts.restarts ~= nil then
      limits.restarts = check.integer_option("supervise", opts, "restarts", 0)
    end
    if opts.within ~= nil then limits.within = check.duration_option("supervise", opts, "within") end
    return weft.scope({ name = "supervise" }, function(s)
      local runners = {}
      for i = 1, #children do runners[i] = s:spawn(run_child, weft, s, children[i], limits) end
      for i = 1, #children do runners[i]:join() end -- so that a cancellation is raised here
    end)
  end
end
