-- SPDX-License-Identifier: MIT
-- The handles of a loop. A node is one descriptor, with a call for each direction. While the loop runs, each
-- direction has a fiber that waits until it is ready and then makes the call itself; so a call may wait, and is
-- not made again before it has returned.
local weft = require "weft"
local object = require "t.object"
local check = require "t.check"
local call = require "t.loop.call"

local kind = object("T.Loop.Node", 3)
local values = { read = 1, write = 2 }
local handle_value = 3

local nodes = { kind = kind }
local expected = "Lua file, T.Net.Socket or descriptor"

function nodes.check(name, handle)
  if handle == nil then check.refuse(name, 1, expected, handle) end
end

-- ---------------------------------------------------------------- finding

-- A pollable for a handle, and its descriptor; nil, message: it is closed. Raises for what is none, and what its own
-- method raises.
local function open(name, handle)
  local ok, p, message = pcall(weft.pollable, handle)
  if not ok then
    if type(p) ~= "string" or not p:find("bad argument #1 to 'pollable'", 1, true) then error(p, 0) end
    check.refuse(name, 1, expected, handle)
  end
  if not p then return nil, message end
  return p, p:getfd()
end

-- The node that observes a handle, or nothing.
function nodes.find(loop, handle)
  local node = loop.by_handle[handle]
  if node then return node end
  local ok, p = pcall(weft.pollable, handle)
  return ok and p and loop.by_descriptor[p:getfd()] or nil
end

-- ---------------------------------------------------------------- serving

local function is_idle(node) return not node.calls.read and not node.calls.write end

-- Takes a node that observes nothing any more out of the loop.
local function drop(loop, node)
  if loop.by_descriptor[node.descriptor] == node then
    loop.by_descriptor[node.descriptor] = nil
    loop.count = loop.count - 1
  end
  for handle in pairs(node.handles) do loop.by_handle[handle] = nil end
end

local function forget(loop, node, dir)
  node.calls[dir], node.ops[dir] = nil, nil
  kind.set_value(node.object, values[dir], nil)
  if is_idle(node) then drop(loop, node) end
end

-- What cannot be waited for: a handle that was closed has simply gone, everything else is told.
local function lost(loop, node, dir, message, code)
  forget(loop, node, dir)
  if code ~= "closed" then error(("descriptor %d: %s"):format(node.descriptor, message), 0) end
end

local function serve(loop, run, node, dir)
  local watch = node.watches[dir]
  while node.watches[dir] == watch and node.calls[dir] and not run.is_over() do
    local ready, message, code = node.ops[dir]:perform()
    if node.watches[dir] ~= watch or run.is_over() then return end
    local c = node.calls[dir]
    if not ready then
      lost(loop, node, dir, message, code)
    elseif c then
      watch.busy = true
      call.run(c)
      watch.busy = false
      run.served()
      weft.yield()                        -- one call a round: the others have theirs
    end
  end
  if node.watches[dir] == watch then node.watches[dir] = nil end
end

-- Sees to it that a fiber waits for the direction.
local function watch(loop, node, dir)
  local run = loop.run
  if not run then return end
  if node.watches[dir] then return call.name_line(node.calls[dir], node.watches[dir].fiber) end
  local w = { busy = false }
  node.watches[dir] = w
  w.fiber = run.spawn(node.calls[dir], serve, loop, run, node, dir)
end

-- Ends the fiber that waits for the direction; one that is in the middle of a call ends after it.
local function unwatch(node, dir)
  local w = node.watches[dir]
  if not w or w.busy then return end
  node.watches[dir] = nil
  w.fiber:cancel()
end

function nodes.start(loop)
  for _, node in pairs(loop.by_descriptor) do
    node.watches = {}
    for dir in pairs(node.calls) do watch(loop, node, dir) end
  end
end

-- ---------------------------------------------------------------- adding and removing

local function new_node(loop, descriptor)
  local node = { descriptor = descriptor, handles = {}, calls = {}, ops = {}, watches = {} }
  node.object = kind.new(node)
  loop.by_descriptor[descriptor] = node
  loop.count = loop.count + 1
  return node
end

-- The node of a handle that is open; its number may have been another's, which was closed while observed.
local function node_of(loop, handle)
  local known = loop.by_handle[handle]
  if known and not known.pollable:closed() then return known end
  local p, descriptor = open("addHandle", handle)
  if not p then
    check.misuse(("Error adding descriptor [%s] to set (%s)"):format(tostring(handle), descriptor))
  end
  local node = loop.by_descriptor[descriptor]
  if node and node.pollable:closed() then
    nodes.remove(loop, node, { "read", "write" })
    node = nil
  end
  node = node or new_node(loop, descriptor)
  node.pollable = p
  node.handles[handle] = true
  loop.by_handle[handle] = node
  kind.set_value(node.object, handle_value, handle)
  return node
end

function nodes.add(loop, handle, directions, c)
  local node = node_of(loop, handle)
  local p = node.pollable
  for _, dir in ipairs(directions) do
    local op = dir == "read" and p:readable_op() or p:writable_op()
    if node.ops[dir] ~= op then           -- as another kind of handle
      unwatch(node, dir)
      node.ops[dir] = op
    end
    node.calls[dir] = c
    kind.set_value(node.object, values[dir], c.shown)
    watch(loop, node, dir)
  end
  return node.object
end

function nodes.remove(loop, node, directions)
  for _, dir in ipairs(directions) do
    if node.calls[dir] then
      forget(loop, node, dir)
      unwatch(node, dir)
    end
  end
end

-- All nodes, by descriptor.
function nodes.list(loop)
  local list = {}
  for _, node in pairs(loop.by_descriptor) do list[#list + 1] = node end
  table.sort(list, function(a, b) return a.descriptor < b.descriptor end)
  return list
end

function kind.describe(node) return ("{%d}"):format(node.descriptor) end

return nodes
