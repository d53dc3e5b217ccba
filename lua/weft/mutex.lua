-- SPDX-License-Identifier: MIT
-- weft.mutex: one fiber at a time. Whoever holds it has a guard; the mutex is free exactly when it has no
-- guard, and then nobody waits: unlock hands it to the first waiter.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"
local holder = require "weft.holder"
local ensure = require "weft.ensure"
local report = require "weft.report"

local perform, self_fiber, enter = frames.perform, core.self, waiters.enter

local function describe(m)
  if not m.guard then return "free" end
  local fiber = report.title(m.guard.fiber)
  return ("held by fiber %s, %d waiting"):format(fiber, m.waiters:live())
end

local mutex, metatable = check.object("mutex", describe)

local kind = {
  name = "a mutex",
  holders = function(m) return { m.guard and m.guard.fiber or nil } end,
}

-- A guard unlocks what it stands for, once; later it does nothing, also when the fiber has locked again.
local guard, guard_metatable = check.object("guard", function(g)
  return g.of:_holds(g) and "holds " .. tostring(g.of) or "over"
end)
function guard:unlock() self.of:_give_back(self) end
guard_metatable.__close = guard.unlock

local function new_guard(of, fiber)
  return setmetatable({ of = of, fiber = fiber }, guard_metatable)
end

local function take(m, fiber)
  local g = new_guard(m, fiber)
  m.guard = g
  return g
end

-- Hands the mutex to the first that waits.
local function pass_on(m)
  m.guard = false
  local w = m.waiters:head()
  if not w then return end
  m.waiters:remove(w)
  local g = w.what or new_guard(m, w.who)
  w.s:complete(w.wrap, g)
  m.guard = g
end

local function look_again(m)
  if not m.guard then pass_on(m) end
end

-- What waits for m, to hold it with a new guard or with g again.
local function new_op(base_op, m, g)
  return base_op(nil, function()
    if m.guard then return false end
    if not g then return true, take(m, self_fiber()) end
    m.guard = g
    return true, g
  end, function(s, wrap)
    m.waiters:add(s, wrap, self_fiber(), g)
    look_again(m)
  end)
end

function mutex:lock()
  local me = enter()
  if me and not self.guard then return take(self, me) end
  holder.refuse_again(self, "mutex")
  return perform(self:lock_op())
end

function mutex:try_lock()
  if self.guard then return false end
  return take(self, holder.fiber "try_lock")
end

function mutex:unlock()
  holder.guard(self, "mutex", "unlock")
  pass_on(self)
end

function mutex:_holds(g) return self.guard == g end
function mutex:_give_back(g)
  if self.guard == g then pass_on(self) end
end

function mutex:with(f, ...)
  check.callable("with", 1, f)
  return ensure.call(guard.unlock, self:lock(), f, ...)
end

return function(weft)
  function mutex:lock_op()
    local op = self.op
    if not op then
      op = new_op(weft.base_op, self)
      self.op = op
    end
    return op
  end

  -- For a cond: the guard that holds the mutex, or a misuse.
  function mutex:_held() return holder.guard(self, "mutex", "wait") end

  -- Holds the mutex with g again, whatever happens: waits although the fiber may be cancelled.
  function mutex:_take_back(g)
    if self.guard == g then return end
    if not self.guard then
      self.guard = g
    else
      weft.shield(perform, new_op(weft.base_op, self, g))
    end
  end

  function weft.mutex()
    local m = setmetatable({ guard = false, op = false, waiters = false }, metatable)
    m.waiters = waiters.new(kind, m)
    return m
  end
  return new_guard
end
