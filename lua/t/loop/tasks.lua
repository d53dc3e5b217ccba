-- SPDX-License-Identifier: MIT
-- The tasks of a loop. `due` is a point in time of the loop's clock in milliseconds, which stands still while the
-- loop does not run; `place` is when the task was added, among all of the loop. While the loop runs, each task has a
-- fiber that sleeps and then makes the call itself, so no call delays another task.
local weft = require "weft"
local object = require "t.object"
local check = require "t.check"
local call = require "t.loop.call"
local order = require "t.loop.order"

local kind = object("T.Loop.Task", 2)
local next_value, call_value = 1, 2

local tasks = { kind = kind }

-- ---------------------------------------------------------------- the list

-- The one that is due first, and the one that is after another.
function tasks.first(loop) return loop.tasks[1] end
function tasks.after(task) return task[1] end

local function show_next(task)
  if task.object then kind.set_value(task.object, next_value, task[1] and task[1].object) end
end

local function link(task)
  task.linked = true
  show_next(order.insert(task.owner.tasks, task))
  show_next(task)
end

local function unlink(task)
  task.linked = false
  show_next(order.remove(task.owner.tasks, task))
  show_next(task)
end

-- Links it behind those that are due at the same time.
local function schedule(task, due)
  local loop = task.owner
  loop.added = loop.added + 1
  task.due, task.place = due, loop.added
  link(task)
end

-- ---------------------------------------------------------------- the clock

local function now_ms() return weft.now() * 1000 end

-- The loop's clock.
local function clock(loop) return loop.run and now_ms() - loop.started or loop.stood end

function tasks.left(loop, task) return task.due - clock(loop) end

function tasks.halt(loop) loop.stood = clock(loop) end

-- ---------------------------------------------------------------- serving

-- The milliseconds that a result asks for, or nil.
local is_integer = math.type and function(v) return math.type(v) == "integer" end
  or function(v) return type(v) == "number" and check.to_integer(v) end
local function again(v) return is_integer(v) and v > 1 and v or nil end

local watch

local function serve(loop, run, task)
  local mine = task.watch
  while task.watch == mine and task.linked do
    weft.sleep_until((loop.started + task.due) / 1000)
    if run.is_over() or task.watch ~= mine then return end
    unlink(task)
    task.calling, run.calls[task] = true, weft.self()
    local ms = again((call.run(task.call)))
    task.calling, run.calls[task] = nil, nil
    if ms and not task.cancelled then schedule(task, clock(loop) + ms) end
    run.served()
    if run.stopped then                   -- the task waits for the next run, which may have begun already
      if task.linked then watch(loop, task) end
      return
    end
  end
end

function watch(loop, task)
  local run = loop.run
  if not run then return end
  task.watch = {}
  task.watch.fiber = run.spawn(task.call, serve, loop, run, task)
end

-- At the end of a run: the tasks whose calls it has cut off are due as they were.
function tasks.take_back(loop, run)
  for task, fiber in pairs(run.calls) do
    task.calling = nil
    if fiber:status() == "cancelled" and not task.cancelled then
      link(task)
      watch(loop, task)
    end
  end
end

function tasks.start(loop)
  loop.started = now_ms() - loop.stood
  local task = tasks.first(loop)
  while task do
    watch(loop, task)
    task = tasks.after(task)
  end
end

-- ---------------------------------------------------------------- adding and cancelling

function tasks.add(loop, ms, c)
  local task = { owner = loop, call = c, ms = ms }
  local handle = kind.new(task)
  task.object = handle
  kind.set_value(handle, call_value, c.shown)
  schedule(task, clock(loop) + math.max(ms, 0))
  watch(loop, task)
  return handle
end

-- Whether it was to be called, or called once more. A call that has begun goes on.
function tasks.cancel(loop, task)
  if task.owner ~= loop then return false end
  if task.calling then
    local first = not task.cancelled
    task.cancelled = true
    return first
  end
  if not task.linked then return false end
  unlink(task)
  local w = task.watch
  task.watch = nil
  if w then w.fiber:cancel() end
  return true
end

function kind.describe(task) return ("{%dms}"):format(task.ms) end

return tasks
