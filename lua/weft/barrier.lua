-- SPDX-License-Identifier: MIT
-- weft.barrier: n fibers wait until all of them are there. wait gives each its place, 1 to n, in the order
-- of arrival, so exactly one gets 1. Reusable: the next n make the next round. A fiber that is cancelled, or
-- whose choice goes another way, leaves, and the others wait for one more.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, self_fiber = frames.perform, core.self

-- How many fibers wait. The arms of one choice stand side by side in the queue, and count once.
local function waiting(queue)
  local w, n = queue:head(), 0
  while w do
    local after = w.after
    if not w.s:waiting() then queue:remove(w)
    elseif not (w.before and w.before.who == w.who) then n = n + 1 end
    w = after
  end
  return n
end

local kind = { name = "a barrier" }

local barrier, metatable = check.object("barrier", function(self)
  return ("%d of %d waiting"):format(waiting(self.waiters), self.size)
end)

-- Whether the caller is the last of a round: lets the others go then.
local function arrive(self)
  local queue, others = self.waiters, self.size - 1
  if queue.count < others or waiting(queue) < others then return false end
  for place = 1, others do queue:serve(place) end
  return true
end

function barrier:wait() return perform(self.op) end
function barrier:wait_op() return self.op end

return function(weft)
  function weft.barrier(n)
    n = check.integer("barrier", 1, n, 1)
    local self = setmetatable({ size = n, waiters = waiters.new(kind) }, metatable)
    self.op = weft.base_op(nil, function()
      if arrive(self) then return true, n end
      return false
    end, function(s, wrap)
      self.waiters:add(s, wrap, self_fiber())
    end)
    return self
  end
end
