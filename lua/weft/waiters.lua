-- SPDX-License-Identifier: MIT
-- The queue of those who wait for a primitive: first in, first out, each wait unlinked in O(1) when it is
-- over. A wait is in the queue as long as nobody has served it and it has not been seen to be over; its
-- suspension says whether it still counts, since a cancelled fiber unlinks only when it runs again. All
-- fields of a record are there from the start (false for none), so that it is one allocation.
local core = require "weft.core"

local waiters = {}
waiters.__index = waiters

local function nothing() end

-- enter() -> the running fiber if what it asks for may be done at once: it is not cancelled, and has not
-- used up its turn. nil: it has to perform the operation, which raises or gives way.
waiters.enter = core.enter or nothing

-- A queue of `owner`. Its kind, shared by all of a sort: `name` ("a mutex"); left(owner) is called when a wait
-- has ended without having been served; holders(owner) -> the fibers that are waited for, `held` how to say so.
function waiters.new(kind, owner)
  return setmetatable({ count = 0, first = false, last = false, kind = kind, owner = owner }, waiters)
end

local function unlink(queue, w)
  local before, after = w.before, w.after
  if before then before.after = after else queue.first = after end
  if after then after.before = before else queue.last = before end
  w.queue, w.before, w.after = false, false, false
  queue.count = queue.count - 1
end
waiters.remove = unlink

-- A record is called when its wait is over.
local record = {}
function record.__call(w)
  local queue = w.queue
  if not queue then return end
  unlink(queue, w)
  local left = queue.kind.left
  if left then left(queue.owner) end
end

-- Appends the wait of the suspension s. `who` and `what` are for the primitive.
function waiters:add(s, wrap, who, what)
  local last = self.last
  local w = setmetatable({
    s = s, wrap = wrap, queue = self, before = last, after = false, who = who, what = what,
  }, record)
  if last then last.after = w else self.first = w end
  self.last = w
  self.count = self.count + 1
  s:on_done(w)
  return w
end

-- The first that still waits, or false.
function waiters:head()
  local w = self.first
  while w and not w.s:waiting() do
    self:remove(w)
    w = self.first
  end
  return w
end

-- Serves the first that still waits with these values: its record, or nil if there is none.
function waiters:serve(...)
  local w = self.first
  while w do
    unlink(self, w)
    if w.s:complete(w.wrap, ...) then return w end
    w = self.first
  end
end

-- Nobody runs before the caller waits, so those who come back are not served twice.
function waiters:serve_all(...)
  while self:serve(...) do end -- luacheck: ignore 542
end

-- How many still wait.
function waiters:live()
  local w, n = self.first, 0
  while w do
    local after = w.after
    if w.s:waiting() then n = n + 1 else self:remove(w) end
    w = after
  end
  return n
end

-- The queue that the record w of a wait stands in; nil if w is something else.
function waiters.queue_of(w) return getmetatable(w) == record and w.queue or nil end

return waiters
