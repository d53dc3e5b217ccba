-- SPDX-License-Identifier: MIT
-- weft.pool{ limit = n, errors = "all" }: functions that run at most n at a time, in the scope in which the
-- pool was made. wait gives their results in the order of go. The first error cancels the rest, and go starts
-- nothing more; with errors = "all" the rest goes on, and the later errors stand beside the first.
--
-- The tasks are async fibers: a failure that no wait takes is raised at the end of their scope.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local ensure = require "weft.ensure"
local report = require "weft.report"
local protected = require "weft.pcall"

local perform = frames.perform
local known_options = { limit = true, errors = true }

local pool, metatable = check.object("pool", function(self)
  return ("%d running, %d of %d ended"):format(self.running.count, self.started - self.running.count,
    self.started)
end)

local function start_round(self)
  self.started, self.results, self.fibers, self.failed = 0, {}, {}, {}
end

local function cancel_all(self, why)
  for fiber in pairs(self.fibers) do fiber:cancel(why) end
end

local function task_ended(self, i, ok, ...)
  self.fibers[core.self()] = nil
  if ok then
    self.results[i] = (...)
  else
    self.failed[#self.failed + 1] = core.self()
    if not self.keeps_going then cancel_all(self, "another function of the pool has failed") end
  end
  self.running:done()
  if self.places then self.places:release() end
  if not ok then return ensure.raise_again(...) end
end

local function task(self, i, f, ...)
  return task_ended(self, i, protected.xpcall(f, ensure.trace, ...))
end

local function has_failed(self) return self.failed[1] and not self.keeps_going end

-- Whether the function has been started: it is not once another one has failed. Suspends while the pool is
-- full.
function pool:go(f, ...)
  check.callable("go", 1, f)
  if self.places then self.places:acquire() end
  if has_failed(self) then
    if self.places then self.places:release() end
    return false
  end
  local i = self.started + 1
  self.fibers[self.scope:async(task, self, i, f, ...)] = true
  self.started = i
  self.running:add(1)
  return true
end

-- The first of the failures, the others beside it; nil where all were cancelled.
local function first_failure(failed)
  local first
  for i = 1, #failed do first = ensure.take_failure(failed[i], first) end
  return first
end

-- When all have ended: their results, or the first error.
local function collect(self)
  local results, n, failed = self.results, self.started, self.failed
  start_round(self)
  local first = first_failure(failed)
  if first then report.raise(first) end
  if failed[1] then error(report.cancelled(failed[1]), 0) end
  return results, n
end

function pool:wait() return perform(self.op) end
function pool:wait_op() return self.op end

return function(weft)
  function weft.pool(opts)
    opts = check.options("pool", 1, opts or {}, known_options)
    local limit = check.limit_option("pool", opts, "limit")
    if opts.errors ~= nil and opts.errors ~= "all" then
      core.misuse(("bad option 'errors' of pool ('all' expected, got '%s')"):format(tostring(opts.errors)))
    end
    local scope = core.innermost_scope()
    if not scope then core.misuse "'pool' needs a runtime: call it inside weft.run" end
    local self = setmetatable({
      scope = scope, keeps_going = opts.errors == "all", running = weft.waitgroup(),
      places = limit < math.huge and weft.semaphore(limit) or nil,
    }, metatable)
    start_round(self)
    self.op = self.running:wait_op():wrap(function() return collect(self) end)
    return self
  end
end
