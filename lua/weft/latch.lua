-- SPDX-License-Identifier: MIT
-- weft.latch: a count that goes down to zero, once, and stays there.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, enter = frames.perform, waiters.enter

local kind = { name = "a latch" }

local latch, metatable = check.object("latch", function(self)
  return ("%d to go, %d waiting"):format(self.count, self.waiters:live())
end)

function latch:count_down(k)
  k = k == nil and 1 or check.integer("count_down", 1, k, 1)
  local count = self.count - k
  if count < 0 then core.misuse(("the count of a latch would be negative: %d"):format(count)) end
  self.count = count
  if count == 0 then self.waiters:serve_all(true) end
end

function latch:wait()
  if self.count == 0 and enter() then return true end
  return perform(self.op)
end

function latch:wait_op() return self.op end

return function(weft)
  function weft.latch(n)
    n = check.integer("latch", 1, n, 0)
    local self = setmetatable({ count = n, waiters = waiters.new(kind) }, metatable)
    self.op = weft.base_op(nil, function()
      if self.count > 0 then return false end
      return true, true
    end, function(s, wrap)
      self.waiters:add(s, wrap)
      if self.count == 0 then self.waiters:serve_all(true) end
    end)
    return self
  end
end
