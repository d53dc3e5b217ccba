-- SPDX-License-Identifier: MIT
-- weft.limiter{ rate = per second, burst = n }: a bucket of tokens that fills at `rate` and holds `burst`.
-- Requests are served first in, first out. While somebody waits a daemon of the root scope, the pump, sleeps
-- until the head of the queue can be served; whoever leaves the head wakes it, so that the next moves up.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local now, perform, enter = core.now, frames.perform, waiters.enter
local known_options = { rate = true, burst = true }
local rounding = 1e-9

local limiter, metatable = check.object("limiter", function(self)
  return ("%g a second, %d waiting"):format(self.rate, self.waiters:live())
end)

local function refill(self)
  local time = now()
  self.tokens = math.min(self.burst, self.tokens + (time - self.since) * self.rate)
  self.since = time
end

local function has(self, k) return self.tokens + rounding >= k end

-- Serves the queue from its head as far as the tokens go; the first that still has to wait.
local function grant(self)
  refill(self)
  local queue = self.waiters
  local w = queue:head()
  while w and has(self, w.what) do
    queue:remove(w)
    self.tokens = self.tokens - w.what
    w.s:complete(w.wrap, true)
    w = queue:head()
  end
  return w
end

local function take(self, k)
  if self.rate == math.huge then return true end
  if self.waiters.first and grant(self) then return false end
  refill(self)
  if not has(self, k) then return false end
  self.tokens = self.tokens - k
  return true
end

local function tokens(self, name, k)
  k = k == nil and 1 or check.integer(name, 1, k, 1)
  if k > self.burst then
    core.misuse(("bad argument #1 to '%s' (%d tokens, but a burst of %d)"):format(name, k, self.burst))
  end
  return k
end

function limiter:wait(k)
  k = tokens(self, "wait", k)
  if enter() and take(self, k) then return true end
  return perform(self:wait_op(k))
end

function limiter:try(k) return take(self, tokens(self, "try", k)) end

return function(weft)
  local function pump(self)
    local w = grant(self)
    while w do
      local due = self.since + (w.what - self.tokens) / self.rate
      perform(weft.choose(core.sleep_until_op(due), self.poked:get_op()))
      w = grant(self)
    end
    self.pump = nil
  end

  local function left(self) self.poked:try_put(true) end
  local kind = { name = "a limiter", left = left }

  -- It serves fibers of all scopes. The pump of an earlier run may have been cancelled.
  local function start_pump(self)
    if self.pump and self.pump:status() ~= "cancelled" then return end
    self.pump = core.root_scope():daemon(pump, self)
    self.pump:name "limiter"
  end

  function limiter:wait_op(k)
    k = tokens(self, "wait_op", k)
    return weft.base_op(nil, function()
      if take(self, k) then return true, true end
      return false
    end, function(s, wrap)
      self.waiters:add(s, wrap, nil, k)
      start_pump(self)
    end)
  end

  function weft.limiter(opts)
    check.options("limiter", 1, opts, known_options)
    local rate = check.positive_option("limiter", opts, "rate")
    local burst = opts.burst == nil and 1 or check.integer_option("limiter", opts, "burst", 1)
    local self = setmetatable({
      rate = rate, burst = burst, tokens = burst, since = now(), poked = weft.channel(1),
    }, metatable)
    self.waiters = waiters.new(kind, self)
    return self
  end
end
