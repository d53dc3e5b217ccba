-- SPDX-License-Identifier: MIT
-- weft.waitgroup: a count of what is still to be done; wait until it is zero. Reusable.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, enter = frames.perform, waiters.enter

local kind = { name = "a waitgroup" }

local waitgroup, metatable = check.object("waitgroup", function(self)
  return ("%d to do, %d waiting"):format(self.count, self.waiters:live())
end)

local function change(self, n)
  local count = self.count + n
  if count < 0 then core.misuse(("the count of a waitgroup would be negative: %d"):format(count)) end
  self.count = count
  if count == 0 then self.waiters:serve_all(true) end
end

function waitgroup:add(n)
  if n == nil then n = 1 end
  change(self, check.integer("add", 1, n, -math.huge))
end

function waitgroup:done() change(self, -1) end

function waitgroup:wait()
  if self.count == 0 and enter() then return true end
  return perform(self.op)
end

function waitgroup:wait_op() return self.op end

return function(weft)
  function weft.waitgroup()
    local self = setmetatable({ count = 0, waiters = waiters.new(kind) }, metatable)
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
