-- SPDX-License-Identifier: MIT
-- weft.rwmutex: one writer, or many readers. One queue for both, first in, first out: a reader that comes
-- while a writer waits goes behind it, so neither starves.
--
-- `guard` is the writer's; `readers` counts read guards, and `read[fiber]` is the last one of the fiber,
-- linked through `outer` to those before. `of` of a read guard is nil once it has been given back.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"
local holder = require "weft.holder"
local ensure = require "weft.ensure"
local report = require "weft.report"

local perform, self_fiber, enter = frames.perform, core.self, waiters.enter
local misuse = core.misuse

local function describe(m)
  local waiting = m.waiters:live()
  if m.guard then
    return ("written by fiber %s, %d waiting"):format(report.title(m.guard.fiber), waiting)
  end
  if m.readers > 0 then return ("%d reading, %d waiting"):format(m.readers, waiting) end
  return "free"
end

local rwmutex, metatable = check.object("rwmutex", describe)
local guard, guard_metatable = check.object("guard", function(g)
  return g.of and "holds " .. tostring(g.of) or "over"
end)
guard_metatable.__close = function(g) g:unlock() end

local function new_guard(m, fiber)
  return setmetatable({ of = m, fiber = fiber }, guard_metatable)
end

local function take_write(m, fiber, g)
  g = g or new_guard(m, fiber)
  m.guard = g
  return g
end

local function take_read(m, fiber)
  local g = new_guard(m, fiber)
  g.reads, g.outer = true, m.read[fiber]
  m.read[fiber] = g
  m.readers = m.readers + 1
  return g
end

-- Serves the queue from its head as far as the lock can be held together.
local function grant(m)
  local queue = m.waiters
  local w = queue:head()
  while w and not m.guard and (w.what == "read" or m.readers == 0) do
    queue:remove(w)
    local g = w.what == "read" and take_read(m, w.who) or take_write(m, w.who, w.what)
    w.s:complete(w.wrap, g)
    w = queue:head()
  end
end

local kind = { name = "an rwmutex", left = grant }
function kind.holders(m)
  if m.guard then return { m.guard.fiber } end
  local list = {}
  for fiber in pairs(m.read) do list[#list + 1] = fiber end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

local function is_free_for(m, reads)
  if m.waiters.first then grant(m) end
  return not m.guard and not m.waiters.first and (reads or m.readers == 0)
end

local function give_back_read(g)
  local m, fiber = g.of, g.fiber
  local inner = m.read[fiber]
  if inner == g then
    m.read[fiber] = g.outer
  else
    while inner.outer ~= g do inner = inner.outer end
    inner.outer = g.outer
  end
  g.of, g.outer = nil, nil
  m.readers = m.readers - 1
  if m.readers == 0 then grant(m) end
end

local function give_back_write(g)
  local m = g.of
  g.of, m.guard = nil, false
  grant(m)
end

function guard:unlock()
  local m = self.of
  if not m then return end
  if self.reads then return give_back_read(self) end
  if m.guard == self then give_back_write(self) end
end

-- A fiber that waits for itself would wait for ever.
local function refuse_own(m, reads)
  local me = self_fiber()
  holder.refuse_again(m, "rwmutex")
  if not reads and me and m.read[me] then misuse "this fiber holds the rwmutex already, for reading" end
end

function rwmutex:lock()
  local me = enter()
  if me and self.readers == 0 and is_free_for(self) then return take_write(self, me) end
  refuse_own(self)
  return perform(self:lock_op())
end

function rwmutex:rlock()
  local me = enter()
  if me and not self.guard and is_free_for(self, true) then return take_read(self, me) end
  refuse_own(self, true)
  return perform(self:rlock_op())
end

function rwmutex:try_lock()
  local me = holder.fiber "try_lock"
  return is_free_for(self) and take_write(self, me)
end

function rwmutex:try_rlock()
  local me = holder.fiber "try_rlock"
  return is_free_for(self, true) and take_read(self, me)
end

function rwmutex:unlock() give_back_write(holder.guard(self, "rwmutex", "unlock")) end

function rwmutex:runlock()
  local me = self_fiber()
  local g = me and self.read[me]
  if not g then misuse "runlock of a rwmutex that this fiber does not hold for reading" end
  give_back_read(g)
end

function rwmutex:with(f, ...)
  check.callable("with", 1, f)
  return ensure.call(guard.unlock, self:lock(), f, ...)
end

function rwmutex:rwith(f, ...)
  check.callable("rwith", 1, f)
  return ensure.call(guard.unlock, self:rlock(), f, ...)
end

return function(weft)
  local function new_op(m, reads, g)
    return weft.base_op(nil, function()
      if not is_free_for(m, reads) then return false end
      local me = self_fiber()
      return true, reads and take_read(m, me) or take_write(m, me, g)
    end, function(s, wrap)
      m.waiters:add(s, wrap, self_fiber(), reads and "read" or g)
      grant(m)
    end)
  end

  function rwmutex:lock_op()
    self.op = self.op or new_op(self, false)
    return self.op
  end
  function rwmutex:rlock_op()
    self.read_op = self.read_op or new_op(self, true)
    return self.read_op
  end

  -- For a cond, as in mutex.lua.
  function rwmutex:_held() return holder.guard(self, "rwmutex", "wait") end
  function rwmutex:_give_back(g)
    if self.guard ~= g then return end
    self.guard = false
    grant(self)
  end
  function rwmutex:_take_back(g)
    if self.guard == g then return end
    if is_free_for(self) then
      self.guard = g
    else
      weft.shield(perform, new_op(self, false, g))
    end
  end

  function weft.rwmutex()
    local m = setmetatable({ guard = false, readers = 0, read = {} }, metatable)
    m.waiters = waiters.new(kind, m)
    return m
  end
end
