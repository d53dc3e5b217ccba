-- SPDX-License-Identifier: MIT
-- t.Loop: lua-t's event loop, over weft. A run of a loop is a scope: a fiber for each direction of a handle and
-- for each task. It ends when they have, so when nothing is left, or when it is stopped.
local weft = require "weft"
local object = require "t.object"
local check = require "t.check"
local call = require "t.loop.call"
local nodes = require "t.loop.nodes"
local tasks = require "t.loop.tasks"
local show = require "t.loop.show"
local Time = require "t.Time"

local kind = object "T.Loop"
local methods, metatable = kind.methods, kind.metatable

-- ---------------------------------------------------------------- running

local function halt(loop)
  tasks.halt(loop)
  loop.run = nil
end

-- Stops a run: no call begins any more, and those that wait are cancelled, but for the one that asked.
local function stop(loop)
  local run = loop.run
  if not run then return end
  halt(loop)
  run.stopped = true
  local me = weft.self()
  if not run.fibers[me] then return run.scope:cancel() end
  run.stopper = me
  for fiber in pairs(run.fibers) do
    if fiber ~= me then fiber:cancel("the loop was stopped") end
  end
end

local is_alive = { open = true, closing = true }

local function new_run(scope)
  local run = { scope = scope, stopped = false, calls = {}, fibers = setmetatable({}, { __mode = "k" }) }
  function run.spawn(c, f, ...)
    local fiber = scope:spawn(f, ...)
    run.fibers[fiber] = true
    call.name_line(c, fiber)
    return fiber
  end
  -- Whether no call may begin any more: those that are due then wait for the next run.
  function run.is_over() return run.stopped or not is_alive[scope:status()] end
  -- After each call: what the calls have spawned ends with the one that stopped the loop.
  function run.served()
    if run.stopper and run.stopper == weft.self() then scope:cancel() end
  end
  return run
end

local function serve(loop)
  weft.scope(function(s)
    local run = new_run(s)
    s:defer(function()
      if loop.run == run then halt(loop) end
      tasks.take_back(loop, run)
    end)
    loop.run = run
    tasks.start(loop)
    nodes.start(loop)
  end)
end

function methods:run()
  local loop = kind.of(self, "run")
  if loop.run then check.misuse "the loop runs already" end
  if loop.count == 0 and not tasks.first(loop) then return end
  if weft.self() then return serve(loop) end
  weft.run(serve, loop)
end

function methods:stop() stop(kind.of(self, "stop")) end

-- ---------------------------------------------------------------- handles

local directions = {}
for names, dirs in pairs {
  ["r rd read READ inc incoming"] = { "read" },
  ["w wr write WRITE out outgoing"] = { "write" },
  ["rw rdwr readwrite READWRITE both either"] = { "read", "write" },
} do
  for name in names:gmatch "%S+" do directions[name] = dirs end
end

local function check_directions(name, dir)
  if type(dir) ~= "string" then check.refuse(name, 2, "string", dir) end
  return directions[dir] or check.misuse(("bad argument #2 to '%s' (unknown direction '%s')"):format(name, dir))
end

function methods:addHandle(handle, dir, f, ...)
  local loop = kind.of(self, "addHandle")
  nodes.check("addHandle", handle)
  local dirs = check_directions("addHandle", dir)
  return nodes.add(loop, handle, dirs, call.new(check.callable("addHandle", 3, f), ...))
end

function methods:removeHandle(handle, dir)
  local loop = kind.of(self, "removeHandle")
  nodes.check("removeHandle", handle)
  local dirs = check_directions("removeHandle", dir == nil and "rw" or dir)
  local node = nodes.find(loop, handle)
  if not node then return nil, "the loop does not observe this handle" end
  nodes.remove(loop, node, dirs)
  return node.object
end

-- ---------------------------------------------------------------- tasks

function methods:addTask(ms, f, ...)
  local loop = kind.of(self, "addTask")
  local length = Time.milliseconds(ms)
  if not length then check.refuse("addTask", 1, "integer or T.Time", ms) end
  length = check.integer("addTask", 1, type(ms) == "number" and ms or math.floor(length))
  return tasks.add(loop, length, call.new(check.callable("addTask", 2, f), ...))
end
methods.addTimer = methods.addTask

function methods:cancelTask(task)
  local loop = kind.of(self, "cancelTask")
  if not tasks.kind.is(task) then check.refuse("cancelTask", 1, tasks.kind.name, task) end
  return tasks.cancel(loop, tasks.kind.record(task))
end
methods.cancelTimer = methods.cancelTask

function methods:clean()
  local loop = kind.of(self, "clean")
  while tasks.first(loop) do tasks.cancel(loop, tasks.first(loop)) end
  for _, node in ipairs(nodes.list(loop)) do nodes.remove(loop, node, directions.rw) end
end

-- ---------------------------------------------------------------- the rest

function methods:show() return show(kind.of(self, "show")) end

-- Of the class and of a loop, with a dot or a colon.
function methods.sleep(first, ms)
  if type(first) == "number" or Time.milliseconds(first) then ms = first end
  local length = Time.milliseconds(ms)
  if not length then check.refuse("sleep", 1, "integer or T.Time", ms) end
  Time.sleep(length)
end
function methods.time() return math.floor(weft.time() * 1000) end

function kind.get(_, key, loop)
  if type(key) == "string" then return nil end
  local node = nodes.find(loop, key)
  return node and node.object
end
function metatable.__len(self) return kind.record(self).count end
function kind.describe(loop) return ("{%d}"):format(loop.count) end

-- run: the run in progress, nil while it stands; stood: what its clock showed then; added: how many tasks have been.
local function new()
  return kind.new { by_descriptor = {}, by_handle = {}, count = 0, tasks = {}, added = 0, stood = 0 }
end

return setmetatable({}, { __call = function() return new() end, __index = methods })
