-- SPDX-License-Identifier: MIT
-- weft.oneshot: a value that is set once, and that any number of fibers wait for.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, enter = frames.perform, waiters.enter

local kind = { name = "a oneshot" }

local oneshot, metatable = check.object("oneshot", function(self)
  if self.set_already then return "set" end
  return ("not set, %d waiting"):format(self.waiters:live())
end)

function oneshot:set(value)
  if self.set_already then core.misuse "'set' on a oneshot that is set already" end
  self.set_already, self.value = true, value
  self.waiters:serve_all(value)
end

function oneshot:get()
  if self.set_already and enter() then return self.value end
  return perform(self.op)
end

function oneshot:get_op() return self.op end

function oneshot:is_set() return self.set_already end

return function(weft)
  function weft.oneshot()
    local self = setmetatable({ set_already = false, waiters = waiters.new(kind) }, metatable)
    self.op = weft.base_op(nil, function()
      if self.set_already then return true, self.value end
      return false
    end, function(s, wrap)
      self.waiters:add(s, wrap)
      if self.set_already then self.waiters:serve_all(self.value) end
    end)
    return self
  end
end
