-- SPDX-License-Identifier: MIT
-- What latch and waitgroup are: a count, and a wait until it is zero.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, enter = frames.perform, waiters.enter

-- Of a kind of counter: its methods, change(counter, n), and new(weft, count). `text` describes one.
return function(name, text)
  local counter, metatable = check.object(name, function(self)
    return text:format(self.count, self.waiters:live())
  end)
  local kind = { name = "a " .. name }

  local function change(self, n)
    local count = self.count + n
    if count < 0 then core.misuse(("the count of a %s would be negative: %d"):format(name, count)) end
    self.count = count
    if count == 0 then self.waiters:serve_all(true) end
  end

  function counter:wait()
    if self.count == 0 and enter() then return true end
    return perform(self.op)
  end

  function counter:wait_op() return self.op end

  local function new(weft, count)
    local self = setmetatable({ count = count, waiters = waiters.new(kind) }, metatable)
    self.op = weft.base_op(nil, function()
      if self.count > 0 then return false end
      return true, true
    end, function(s, wrap)
      self.waiters:add(s, wrap)
      if self.count == 0 then self.waiters:serve_all(true) end
    end)
    return self
  end

  return counter, change, new
end
