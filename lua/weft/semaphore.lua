-- SPDX-License-Identifier: MIT
-- weft.semaphore: permits. Requests are served first in, first out, whatever their size: a big one at the
-- head is not overtaken by small ones behind it.
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, enter = frames.perform, waiters.enter

local semaphore, metatable = check.object("semaphore", function(self)
  return ("%d free, %d waiting"):format(self.free, self.waiters:live())
end)

-- Serves the queue from its head as far as the permits go; waits that are over take none.
local function grant(self)
  local queue = self.waiters
  local w = queue.first
  while w and (w.what <= self.free or not w.s:waiting()) do
    queue:remove(w)
    if w.s:complete(w.wrap, true) then self.free = self.free - w.what end
    w = queue.first
  end
end

local kind = { name = "a semaphore", left = grant }

local function take(self, k)
  if self.waiters.first then grant(self) end -- whose waits may be over
  if self.waiters.first or self.free < k then return false end
  self.free = self.free - k
  return true
end

local function permits(name, k)
  if k == nil then return 1 end
  return check.integer(name, 1, k, 1)
end

function semaphore:acquire(k)
  if k == nil and self.free > 0 and not self.waiters.first and enter() then
    self.free = self.free - 1
    return true
  end
  k = permits("acquire", k)
  if self.free >= k and enter() and take(self, k) then return true end
  return perform(self:acquire_op(k))
end

function semaphore:try_acquire(k) return take(self, permits("try_acquire", k)) end

function semaphore:release(k)
  self.free = self.free + (k == nil and 1 or permits("release", k))
  if self.waiters.first then grant(self) end
end

return function(weft)
  local function new_op(self, k)
    return weft.base_op(nil, function()
      if take(self, k) then return true, true end
      return false
    end, function(s, wrap)
      self.waiters:add(s, wrap, nil, k)
      if self.free >= k then grant(self) end
    end)
  end

  function semaphore:acquire_op(k)
    k = permits("acquire_op", k)
    if k > 1 then return new_op(self, k) end
    self.op = self.op or new_op(self, 1)
    return self.op
  end

  function weft.semaphore(n)
    n = check.integer("semaphore", 1, n, 0)
    local self = setmetatable({ free = n, op = false }, metatable)
    self.waiters = waiters.new(kind, self)
    return self
  end
end
