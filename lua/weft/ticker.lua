-- SPDX-License-Identifier: MIT
-- weft.ticker(s): fires every s seconds, counted from when it was made, without drift. Ticks that nobody
-- waited for coalesce into one. All who wait get the tick.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local now, perform = core.now, frames.perform

local kind = { name = "a ticker" }

local ticker, metatable = check.object("ticker", function(self)
  if self.stopped then return "stopped" end
  return ("every %g s"):format(self.period)
end)

-- Tick n has come: the next is the first that is still to come. Others may have waited for tick n as well.
local function advance(self, n)
  local time = now()
  local coming = math.max(math.floor((time - self.start) / self.period), n) + 1
  if coming > self.ticks then self.ticks = coming end
  return time
end

function ticker:next() return perform(self.op) end
function ticker:next_op() return self.op end

-- Those who wait, and all later calls of next, get nil, "closed", "closed".
function ticker:stop()
  self.stopped = true
  self.waiters:serve_all(nil, "closed", "closed")
end

return function(weft)
  function weft.ticker(seconds)
    local period = check.positive("ticker", 1, seconds)
    local self = setmetatable({ period = period, start = now(), ticks = 1, waiters = waiters.new(kind) }, metatable)
    local stopped = weft.base_op(nil, function()
      if self.stopped then return true, nil, "closed", "closed" end
      return false
    end, function(s, wrap) self.waiters:add(s, wrap) end)
    self.op = weft.guard(function()
      if self.stopped then return stopped end
      local n = self.ticks
      local tick = core.sleep_until_op(self.start + n * period):wrap(function() return advance(self, n) end)
      return weft.choose(stopped, tick)
    end)
    return self
  end
end
