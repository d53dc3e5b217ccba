-- SPDX-License-Identifier: MIT
-- weft.watch(v): the latest of a value that changes. Who looks too seldom misses values, never the last one:
-- a reader (subscribe) remembers which one it has seen.
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, enter = frames.perform, waiters.enter

local kind = { name = "a watch" }

local watch, metatable = check.object("watch", function(self)
  return ("set %d times, %d waiting"):format(self.version, self.waiters:live())
end)
local reader, reader_metatable = check.object("reader", function(self)
  return self.seen < self.of.version and "has changed" or "has seen the latest"
end)

-- Everybody who waits, waits for just this.
function watch:set(value)
  local version = self.version + 1
  self.value, self.version = value, version
  local w = self.waiters.first
  while w do
    self.waiters:remove(w)
    if w.s:complete(w.wrap, value) and w.what then w.what.seen = version end
    w = self.waiters.first
  end
end

function watch:get() return self.value end
function watch:changed() return perform(self.op) end
function watch:changed_op() return self.op end

local function see(self)
  self.seen = self.of.version
  return self.of.value
end

reader.get = see

function reader:changed()
  if self.seen < self.of.version and enter() then return see(self) end
  return perform(self.op)
end
function reader:changed_op() return self.op end

return function(weft)
  local function never() return false end

  function watch:subscribe()
    local r = setmetatable({ of = self, seen = self.version }, reader_metatable)
    r.op = weft.base_op(nil, function()
      if r.seen == self.version then return false end
      return true, see(r)
    end, function(s, wrap)
      self.waiters:add(s, wrap, nil, r)
      if r.seen < self.version and s:waiting() then s:complete(wrap, see(r)) end
    end)
    return r
  end

  function weft.watch(value)
    local self = setmetatable({ value = value, version = 0, waiters = waiters.new(kind) }, metatable)
    self.op = weft.base_op(nil, never, function(s, wrap) self.waiters:add(s, wrap) end)
    return self
  end
end
