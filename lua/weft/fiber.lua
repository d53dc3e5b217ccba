-- SPDX-License-Identifier: MIT
-- The methods of a fiber.
local core = require "weft.core"
local frames = require "weft.frames"

local report = require "weft.report"
local extras = core.extras

return function(weft)
  local fiber, metatable = core.method_table "fiber"

  function fiber:join() return frames.perform(self:join_op()) end

  function fiber:cancel(reason)
    if reason ~= nil and self:status() ~= "done" then
      local kept = extras(self, true)
      if kept.reason == nil then kept.reason = reason end
    end
    self:_cancel()
  end

  function fiber:name(name)
    if name ~= nil then
      if type(name) ~= "string" then
        core.misuse(("bad argument #1 to 'name' (string expected, got %s)"):format(type(name)))
      end
      extras(self, true).name = name
    end
    local kept = extras(self)
    return kept and kept.name
  end

  function fiber:traceback()
    local thread = core.fiber_thread(self)
    if thread then return debug.traceback(thread) end
    local kept = extras(self)
    return kept and kept.failure and kept.failure.traceback
  end

  local methods = metatable.__index
  function metatable.__index(self, key)
    if key == "id" then return core.fiber_id(self) end
    return methods[key]
  end

  function metatable.__tostring(self)
    return ("weft.fiber %s (%s)"):format(report.title(self), self:status())
  end

  weft.self = core.self

  -- Go's defer, for the whole fiber: last in first out, on return, error and cancellation.
  function weft.defer(f)
    if type(f) ~= "function" then
      core.misuse(("bad argument #1 to 'defer' (function expected, got %s)"):format(type(f)))
    end
    local me = core.self()
    if not me then core.misuse "'defer' belongs to a fiber: call it inside weft.run or weft.spawn" end
    local kept = extras(me, true)
    kept.defers = kept.defers or {}
    kept.defers[#kept.defers + 1] = f
    core.fiber_has_defers(me)
  end

  -- The body has ended and left functions to run: the core goes on with this in a new thread of the same
  -- fiber, whose outcome is the fiber's. An error in a deferred function takes the place of none before.
  local function finish(ok, ...)
    local me = core.self()
    local list = extras(me, true).defers
    while #list > 0 do
      local f = table.remove(list)
      local done, e = weft.pcall(f)
      if not done then
        if ok then return finish(false, e) end
        report.also(me, e)
      end
    end
    if not ok then error((...), 0) end
    return ...
  end
  report.hooks.epilogue = finish
end
