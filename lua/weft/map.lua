-- SPDX-License-Identifier: MIT
-- weft.map and weft.stream_map: a function of every element, several at a time, the results in order.
local core = require "weft.core"
local check = require "weft.check"
local ensure = require "weft.ensure"
local report = require "weft.report"
local protected = require "weft.pcall"

local known_options = { limit = true }

local function get_limit(name, opts)
  if opts == nil then return math.huge end
  return check.limit_option(name, check.options(name, 3, opts, known_options), "limit")
end

return function(weft)
  -- At most `limit` fibers, each takes the next element when it is done with one.
  function weft.map(list, f, opts)
    if type(list) ~= "table" then check.refuse(check.argument("map", 1), "table", list) end
    check.callable("map", 2, f)
    local n, taken, results = #list, 0, {}
    local limit = math.min(get_limit("map", opts), n)
    local function work()
      while taken < n do
        taken = taken + 1
        local i = taken
        results[i] = f(list[i], i)
      end
    end
    return weft.scope(function(s)
      local workers = {}
      for i = 1, limit do workers[i] = s:spawn(work) end
      for i = 1, limit do workers[i]:join() end -- a cancellation is raised here: no partial results
      return results
    end)
  end

  -- ---------------------------------------------------------------- stream_map
  -- A daemon, the producer, takes values from the iterator, starts a task for each and puts it into `tasks`.
  -- A place is held from before a value is taken until its result is: the producer is never more than `limit`
  -- ahead of the reader.

  -- Cancels what has begun. Tasks that have failed by then stand beside `first`, if there is one.
  local function stop(stream, why, first)
    if stream.over then return end
    stream.over = true
    stream.producer:cancel(why)
    local done, task = stream.tasks:try_get()
    while done and task do
      task:cancel(why)
      if first then ensure.take_failure(task, first) end
      done, task = stream.tasks:try_get()
    end
  end

  local function produce(stream, next_value, f)
    while true do
      stream.places:acquire()
      local value = next_value()
      if value == nil then return end
      stream.tasks:put(stream.scope:async(f, value))
    end
  end

  local function producer(stream, next_value, f)
    local ok, e = protected.xpcall(produce, ensure.trace, stream, next_value, f)
    if not ok and not ensure.is_cancelled(e) then stream.failure = ensure.caught(e) end
    if not stream.tasks:closed() then stream.tasks:close() end
    if not ok and ensure.is_cancelled(e) then error(e, 0) end
  end

  local function ended(stream, task, ok, ...)
    if not ok then
      local e = ...
      task:cancel "its reader has failed"
      stop(stream, "another element of the stream has failed", report.going_on(core.self(), e))
      return ensure.raise_again(e)
    end
    stream.places:release()
    if (...) == nil then core.misuse "a nil result ends a for loop: return something else" end
    return ...
  end

  local function step(stream)
    if stream.over then return nil end
    local task = stream.tasks:get()
    if task then return ended(stream, task, protected.pcall(task.join, task)) end
    stream.over = true
    local failure = stream.failure
    stream.failure = nil
    if failure then return report.raise(failure) end
    return nil
  end

  local function source(iter)
    if check.is_callable(iter) then return iter end
    local kind = type(iter)
    if (kind == "table" or kind == "userdata") and iter.get then
      return function() return (iter:get()) end
    end
    check.refuse(check.argument("stream_map", 1), "function", iter)
  end

  local closing = { __close = function(self) stop(self.stream, "the loop has been left") end }

  -- On 5.4 leaving a for loop cancels what it has begun; elsewhere that runs to its end.
  function weft.stream_map(iter, f, opts)
    local next_value = source(iter)
    check.callable("stream_map", 2, f)
    local limit = get_limit("stream_map", opts)
    local scope = core.innermost_scope()
    if not core.self() then core.misuse "'stream_map' outside a fiber: call it inside weft.run or weft.spawn" end
    local stream = {
      scope = scope, tasks = weft.channel(math.huge),
      places = weft.semaphore(limit < math.huge and limit or 2 ^ 31),
    }
    stream.producer = scope:daemon(producer, stream, next_value, f)
    return function() return step(stream) end, nil, nil, setmetatable({ stream = stream }, closing)
  end
end
