-- SPDX-License-Identifier: MIT
-- weft.cond: waiting, with a mutex held, until somebody says that something has changed. A wait gives the
-- mutex back when it begins to wait and holds it again, with the same guard, however it ends.
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"
local protected = require "weft.pcall"

local perform = frames.perform

local kind = { name = "a cond" }

local cond, metatable = check.object("cond", function(self)
  return ("%d waiting"):format(self.waiters:live())
end)

local function never() return false end

local function ended(m, g, ok, ...)
  m:_take_back(g)
  if not ok then error((...), 0) end
  return true
end

function cond:wait()
  local m = self.mutex
  return ended(m, m:_held(), protected.pcall(perform, self.op))
end

function cond:signal() self.waiters:serve(true) end
function cond:broadcast() self.waiters:serve_all(true) end

return function(weft)
  local function block(self)
    return function(s, wrap)
      self.waiters:add(s, wrap)
      local m = self.mutex
      if m.guard then m:_give_back(m.guard) end
    end
  end

  -- Lost or cancelled, it takes the mutex back too, if it has been published. Of several conds of one mutex
  -- in a choice the first gives it back.
  function cond:wait_op()
    local m = self.mutex
    return weft.guard(function()
      local g = m:_held()
      local function take_back()
        m:_take_back(g)
        return true
      end
      local function give_back(s, wrap)
        self.waiters:add(s, wrap)
        m:_give_back(g)
      end
      return weft.base_op(nil, never, give_back):wrap(take_back):on_abort(take_back)
    end)
  end

  function weft.cond(m)
    if type(m) ~= "table" or not m._take_back then
      check.refuse(check.argument("cond", 1), "mutex", m)
    end
    local self = setmetatable({ mutex = m, waiters = waiters.new(kind) }, metatable)
    self.op = weft.base_op(nil, never, block(self))
    return self
  end
end
