-- SPDX-License-Identifier: MIT
-- weft.context: Go's contexts, for those who look for them. A context is done when it is cancelled, when its
-- deadline has passed, or when the one that it was made from is done.
local core = require "weft.core"
local check = require "weft.check"
local waiters = require "weft.waiters"

local now = core.now
local none = math.huge

local kind = { name = "a context" }

local context, metatable = check.object("context", function(self)
  if self.error then return self.error end
  if self.limit < none then return ("%.3f s left"):format(math.max(self.limit - now(), 0)) end
  return "open"
end)

-- Ends ctx and all that was made from it. The sets of children are weak: a context that nobody holds any
-- more needs no news.
local function finish(ctx, err, cause)
  if ctx.error then return end
  ctx.error, ctx.why = err, cause
  ctx.waiters:serve_all(err, cause)
  for child in pairs(ctx.children) do finish(child, err, cause) end
  if ctx.parent then ctx.parent.children[ctx] = nil end
end

local function look(ctx)
  if not ctx.error and ctx.limit <= now() then finish(ctx, "timeout") end
  return ctx.error
end

-- nil while it is open; then "cancelled" or "timeout".
function context:err() return look(self) end

-- What was given to cancel; else as err.
function context:cause()
  local err = look(self)
  if self.why ~= nil then return self.why end
  return err
end

-- The time of weft.now() at which it ends, or nil.
function context:deadline()
  if self.limit < none then return self.limit end
end

function context:value(key)
  local ctx = self
  while ctx do
    if ctx.key ~= nil and ctx.key == key then return ctx.val end
    ctx = ctx.parent
  end
end

function context:done_op() return self.op end
function context:done() return self.op:perform() end

return function(weft)
  local function signal_op(ctx)
    return weft.base_op(nil, function()
      if look(ctx) then return true, ctx.error, ctx.why end
      return false
    end, function(s, wrap) ctx.waiters:add(s, wrap) end)
  end

  local function new(parent, limit)
    local ctx = setmetatable({
      parent = parent, limit = limit, waiters = waiters.new(kind), children = setmetatable({}, { __mode = "k" }),
    }, metatable)
    if parent then
      parent.children[ctx] = true
      if look(parent) then finish(ctx, parent.error, parent.why) end
    end
    ctx.op = signal_op(ctx)
    if limit < none then
      ctx.op = weft.choose(ctx.op, core.sleep_until_op(limit):wrap(function()
        finish(ctx, "timeout")
        return ctx.error, ctx.why
      end))
    end
    return ctx
  end

  local function check_parent(name, parent)
    if debug.getmetatable(parent) ~= metatable then
      check.refuse(check.argument(name, 1), "context", parent)
    end
    return parent
  end

  local function canceller(ctx)
    return function(cause) finish(ctx, "cancelled", cause) end
  end

  local contexts = {}

  -- Never done.
  function contexts.background() return new(nil, none) end
  contexts.todo = contexts.background

  -- Each returns the context and a function that cancels it.
  function contexts.with_cancel(parent)
    check_parent("with_cancel", parent)
    local ctx = new(parent, parent.limit)
    return ctx, canceller(ctx)
  end
  function contexts.with_deadline(parent, time)
    check_parent("with_deadline", parent)
    local ctx = new(parent, math.min(parent.limit, check.number("with_deadline", 2, time)))
    return ctx, canceller(ctx)
  end
  function contexts.with_timeout(parent, seconds)
    check_parent("with_timeout", parent)
    local ctx = new(parent, math.min(parent.limit, now() + check.duration("with_timeout", 2, seconds)))
    return ctx, canceller(ctx)
  end

  function contexts.with_value(parent, key, value)
    check_parent("with_value", parent)
    if key == nil then check.refuse(check.argument("with_value", 2), "value", key) end
    local ctx = new(parent, parent.limit)
    ctx.key, ctx.val = key, value
    return ctx
  end

  -- Runs f(s) in a scope that is cancelled when ctx is done: then nil and what ctx:err() says, twice.
  function contexts.scope(ctx, f)
    check_parent("scope", ctx)
    check.callable("scope", 2, f)
    local cancelled = false
    local function run(s)
      s:daemon(function()
        local _, cause = ctx.op:perform()
        cancelled = true
        s:cancel(cause)
      end)
      return true, f(s)
    end
    local function results(finished, ...)
      if finished or not cancelled then return ... end
      return nil, ctx.error, ctx.error
    end
    return results(weft.scope(run))
  end

  weft.context = contexts
end
