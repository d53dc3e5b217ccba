-- SPDX-License-Identifier: MIT
-- What a parked fiber waits for: in words, as the fibers that it waits for, and the circles of those, which
-- are what a deadlock is mostly made of. Only a wait for one thing has such fibers: of a choice any arm may
-- come.
local core = require "weft.core"
local report = require "weft.report"
local waiters = require "weft.waiters"

local waits = {}
local most_named, most_circles = 4, 4

local function title(fiber) return "fiber " .. report.title(fiber) end

-- The queue of a primitive that the fiber stands in, and in no other.
local function queue_of(fiber)
  if core.fiber_waiting(fiber) ~= "its turn" then return nil end
  return waiters.queue_of(core.fiber_done(fiber))
end

local function holders(queue) return queue.kind.holders and queue.kind.holders(queue.owner) or {} end

-- "a mutex held by".
local function held(queue) return queue.kind.name .. " " .. (queue.kind.held or "held by") end

local function names(fibers)
  local list = {}
  for i = 1, math.min(#fibers, most_named) do list[i] = title(fibers[i]) end
  local text = table.concat(list, ", ")
  return #fibers > most_named and ("%s and %d more"):format(text, #fibers - most_named) or text
end

-- The fibers that this one waits for, and how it is said of one of them.
local function blockers(fiber)
  local fibers, why = core.fiber_awaited(fiber)
  if why == "a fiber to end" then return fibers, "waits to join " end
  if fibers then return fibers, "waits for its child, " end
  local queue = queue_of(fiber)
  if not queue then return {} end
  return holders(queue), "waits for " .. held(queue) .. " "
end

-- What the fiber waits for, and for how many seconds; nil if it does not.
function waits.describe(fiber)
  local why, since = core.fiber_waiting(fiber)
  if why == "a fiber to end" then return names(core.fiber_awaited(fiber)) .. " to end", since end
  local queue = why and queue_of(fiber)
  if not queue then return why, since end
  local list = holders(queue)
  return list[1] and held(queue) .. " " .. names(list) or queue.kind.name, since
end

local function circle_text(path, from)
  local parts = {}
  for i = from, #path do
    local _, how = blockers(path[i])
    parts[#parts + 1] = how .. title(path[i + 1] or path[from])
  end
  return ("cycle: %s %s"):format(title(path[from]), table.concat(parts, ", which "))
end

-- The circles among the fibers of `list`, a line each. A walk in depth, on a path of its own, since a chain of
-- joins may be longer than the stack: `place` is where a fiber stands on the path, false once it is done with.
function waits.circles(list)
  local place, found = {}, {}
  local path, ahead, at = {}, {}, {}
  local function enter(fiber)
    local n = #path + 1
    path[n], ahead[n], at[n], place[fiber] = fiber, blockers(fiber), 0, n
  end
  local function step()
    local n = #path
    at[n] = at[n] + 1
    local fiber = ahead[n][at[n]]
    if not fiber then
      place[path[n]], path[n] = false, nil
    elseif place[fiber] then
      found[#found + 1] = circle_text(path, place[fiber])
    elseif place[fiber] == nil then
      enter(fiber)
    end
  end
  for i = 1, #list do
    if place[list[i]] == nil then enter(list[i]) end
    while path[1] do
      if found[most_circles] then return found end
      step()
    end
  end
  return found
end

return waits
