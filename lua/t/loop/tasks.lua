-- SPDX-License-Identifier: MIT
-- The tasks of a loop: a list in the order in which they are due, linked both ways. `due` is a point in time of
-- the loop's clock in milliseconds, which stands still while the loop does not run. While it runs, each task has
-- a fiber that sleeps and then makes the call itself, so no call delays another task.
local weft = require "weft"
local object = require "t.object"
local call = require "t.loop.call"

local kind = object("T.Loop.Task", 2)
local next_value, call_value = 1, 2

local tasks = { kind = kind }

-- ---------------------------------------------------------------- the list

local function set_next(task, following)
  task.next = following
  kind.set_value(task.object, next_value, following and following.object)
end

-- The last one that is not due after `due`. Looked for from both ends at once: new tasks are mostly due soonest
-- or last.
local function place(loop, due)
  local front, back = loop.first, loop.last
  local before
  while back and back.due > due do
    if front.due > due then return before end
    before, front = front, front.next
    back = back.previous
  end
  return back
end

local function link(task)
  local loop = task.owner
  local previous = place(loop, task.due)
  local following = loop.first
  if previous then following = previous.next end
  task.previous, task.linked = previous, true
  set_next(task, following)
  if following then following.previous = task else loop.last = task end
  if previous then set_next(previous, task) else loop.first = task end
end

local function unlink(task)
  local loop, previous, following = task.owner, task.previous, task.next
  if following then following.previous = previous else loop.last = previous end
  if previous then set_next(previous, following) else loop.first = following end
  task.previous, task.linked = nil, false
  set_next(task, nil)
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
  or function(v) return type(v) == "number" and v == math.floor(v) end
local function again(v) return is_integer(v) and v > 1 and v or nil end

local watch

local function serve(loop, run, task)
  local mine = task.watch
  while task.watch == mine and task.linked do
    weft.sleep_until((loop.started + task.due) / 1000)
    if run.stopped or task.watch ~= mine then return end
    unlink(task)
    task.calling = run
    local ms = again((call.run(task.call)))
    task.calling = nil
    if ms and not task.cancelled then
      task.due = clock(loop) + ms
      link(task)
    end
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
  task.watch.fiber = run.spawn(serve, loop, run, task)
end

function tasks.start(loop)
  loop.started = now_ms() - loop.stood
  local task = loop.first
  while task do
    watch(loop, task)
    task = task.next
  end
end

-- ---------------------------------------------------------------- adding and cancelling

function tasks.add(loop, ms, c)
  local task = { owner = loop, call = c, ms = ms, due = clock(loop) + math.max(ms, 0) }
  local handle = kind.new(task)
  task.object = handle
  kind.set_value(handle, call_value, c.shown)
  link(task)
  watch(loop, task)
  return handle
end

-- Whether it was to be called, or called once more. A call that has begun goes on.
function tasks.cancel(loop, task)
  if task.owner ~= loop then return false end
  if task.calling and task.calling == loop.run then
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
