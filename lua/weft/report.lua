-- SPDX-License-Identifier: MIT
-- What becomes of outcomes: the results and failures of fibers, kept beside them until a join or the end
-- of their scope, and the texts of uncaught errors. The core calls the functions of
-- `hooks` from the worker's loop, protected: they never wait.
local core = require "weft.core"

local report = {}
local hooks = {}
local errors
local extras, failures = core.extras, core.scope_failures

function report.bind(types)
  errors = types
  report.errors = types
end

-- Failures by the error value that was raised for them, so that it can be told from the value alone,
-- whatever its type; the last few only where the value cannot be weak, or the Lua has no ephemerons.
local by_value = setmetatable({}, { __mode = "k" })
local recent, recent_at = {}, 0
local recent_limit = 64

local function remember(info)
  local value = info.value
  local kind = type(value)
  local collectable = kind == "table" or kind == "userdata" or kind == "function" or kind == "thread"
  if collectable and core.has_continuations then
    by_value[value] = info
  else
    recent_at = recent_at % recent_limit + 1
    recent[recent_at] = info
  end
end

local function recall(value)
  if value ~= nil and by_value[value] then return by_value[value] end
  for i = 0, recent_limit - 1 do
    local info = recent[(recent_at - 1 - i) % recent_limit + 1]
    if info and rawequal(info.value, value) then return info end
  end
end

-- {traceback, fiber, others} of an error value, or nil if no fiber has failed with it.
function report.info(value)
  local info = recall(value)
  if not info then return nil end
  return { traceback = info.traceback, fiber = info.fiber, others = info.others or {}, seed = info.seed }
end

local function location(fiber)
  local spawner, line = core.fiber_spawner(fiber)
  if not spawner or not line or line < 0 then return nil end
  return debug.getinfo(spawner, "S").short_src .. ":" .. line
end

-- "'name' (#3)" or "#3".
function report.title(fiber)
  local kept = extras(fiber)
  local id = "#" .. core.fiber_id(fiber)
  if kept and kept.name then return ("'%s' (%s)"):format(kept.name, id) end
  return id
end

function report.spawned(fiber)
  local kept = extras(fiber)
  if kept and kept.spawned then return kept.spawned end
  return location(fiber)
end

-- The failure that was last raised in a fiber, by a join or at a scope, is kept with it: if the fiber
-- fails with that value it is the same failure, going on.
function report.raise(info)
  local me = core.self()
  if me then extras(me, true).raised = info end
  error(info.value, 0)
end

function report.going_on(fiber, value)
  local kept = extras(fiber)
  local info = kept and kept.raised
  if info and rawequal(info.value, value) then return info end
  return by_value[value]
end

local deepest = 50

local function read_trace(thread)
  local ours = {}
  for level = 0, deepest do
    local info = debug.getinfo(thread, level, "S")
    if not info then break end
    if core.is_ours(info.source) then ours[info.short_src] = true end
  end
  local text = debug.traceback(thread):gsub("\n\t([^\n]-):%d+: in [^\n]*", function(source)
    if ours[source] then return "" end
  end)
  return text, text:find "\n\t[^\n]-:%d+: in " ~= nil
end

-- The traceback of a thread without functions of ours, and whether any of the user's is left. 5.2 cannot look into a
-- thread whose stack is full.
local function trace_of(thread)
  local ok, text, is_users = pcall(read_trace, thread)
  if ok then return text, is_users end
  return ("stack traceback:\n\t(not to be had: %s)"):format(text), false
end

local function failure(fiber, thread, value)
  local known = value ~= nil and report.going_on(fiber, value)
  local kept = extras(fiber, true)
  if known and known == kept.failure then return known end
  local trace, is_users = trace_of(thread)
  if known then
    local again = is_users and ("\nraised again in fiber %s\n%s"):format(report.title(fiber), trace) or ""
    trace = known.traceback .. again
  end
  local info = {
    value = value,
    fiber = known and known.fiber or fiber,
    title = known and known.title or report.title(fiber),
    spawned = known and known.spawned or report.spawned(fiber),
    traceback = trace,
    others = known and known.others,
    origin = known and (known.origin or known),
  }
  kept.failure = info
  remember(info)
  return info
end

local function stands_beside(first, info)
  first.others = first.others or {}
  first.others[#first.others + 1] = info
end

-- An error on the way out of a fiber that has failed already stands beside the first one.
function report.also(fiber, value)
  local kept = extras(fiber, true)
  local info = kept.raised
  if not info then return end
  stands_beside(info, { value = value, fiber = fiber, title = report.title(fiber), traceback = "" })
end

-- The body has failed, and variables are to be closed or deferred functions to run: its traceback is kept now,
-- while it stands.
function hooks.body_failed(fiber, thread, value)
  if errors.cancelled.is(value) then return end
  extras(fiber, true).raised = failure(fiber, thread, value)
end

function hooks.close_failed(fiber, _, value) report.also(fiber, value) end

-- The message handler of a function that the core calls inside a perform: where the error was raised.
function hooks.raising(value)
  local me = core.self()
  if errors.cancelled.is(value) or value ~= nil and report.going_on(me, value) then return value end
  extras(me, true).raised = {
    value = value, fiber = me, title = report.title(me), spawned = report.spawned(me),
    traceback = debug.traceback("", 2):sub(2),
  }
  return value
end

-- Puts a failure of a child, or of the body, on the list of the scope.
function report.add(scope, info)
  local list = failures(scope, true)
  list[#list + 1] = info
end

function hooks.failure(fiber, thread, value)
  report.add(core.fiber_scope(fiber), failure(fiber, thread, value))
end

function hooks.joined_failure(fiber, thread, value) failure(fiber, thread, value) end

-- Of async: the scope looks at its end whether a join has taken it.
function hooks.async_failure(fiber, thread, value)
  local info = failure(fiber, thread, value)
  info.async, info.unjoined = true, true
  report.add(core.fiber_scope(fiber), info)
end

function hooks.results(fiber, _, ...)
  local kept = extras(fiber, true)
  kept.n = select("#", ...)
  for i = 1, kept.n do kept[i] = (select(i, ...)) end
end

function hooks.cancelled(fiber)
  local kept = extras(fiber)
  local reason = kept and kept.reason
  if reason == nil then reason = core.scope_reason(fiber) end
  return errors.cancelled.new { fiber = fiber, reason = reason }
end

-- What a join of a fiber raises that did not end well.
function hooks.join_error(fiber, cancelled)
  if cancelled then return hooks.cancelled(fiber) end
  local kept = extras(fiber)
  local info = kept and kept.failure
  if not info then return "not enough memory" end
  info.unjoined = nil
  local me = core.self()
  if me then extras(me, true).raised = info end
  return info.value
end

-- WEFT_DEBUG=spawn: where a fiber was spawned, and where the fiber that did it was, and so on.
function hooks.spawned(fiber, parent)
  local chain = location(fiber) or "?"
  local before = parent and report.spawned(parent)
  if before then chain = chain .. "\n  by fiber " .. report.title(parent) .. ", spawned at " .. before end
  extras(fiber, true).spawned = chain
end

-- ---------------------------------------------------------------- what nobody has handled

-- The failures beside one, those beside them too. What went on in other fibers is the same failure still.
local function further(info, list, seen)
  for _, other in ipairs(info.others or {}) do
    local origin = other.origin or other
    if not seen[origin] then list[#list + 1] = other end
    if not seen[other] then
      seen[origin], seen[other] = true, true
      further(other, list, seen)
    end
  end
  return list
end

local function place(info)
  return ("in fiber %s%s"):format(info.title, info.spawned and ", spawned at " .. info.spawned or "")
end

local most_listed = 10

local function list_further(info)
  local list = further(info, {}, { [info] = true, [info.origin or info] = true })
  if not list[1] then return "" end
  local lines = { "", ("and %d more:"):format(#list) }
  for i = 1, math.min(#list, most_listed) do
    local ok, text = pcall(tostring, list[i].value)
    lines[i + 2] = ("  %s (%s)"):format(ok and text or type(list[i].value), place(list[i]))
  end
  if #list > most_listed then lines[#lines + 1] = "  ..." end
  return table.concat(lines, "\n")
end

-- What the messages of Lua 5.1 and 5.2 do not say.
local function cure(value)
  if not value:find("attempt to yield across", 1, true) then return "" end
  return ("\n(a fiber cannot wait here: %s cannot yield across a C function, a metamethod or an iterator; "
    .. "in weft.pcall and weft.xpcall it can)"):format(_VERSION)
end

-- The text of an uncaught failure whose value reads so.
function report.text(info, value)
  return ("%s%s\n%s\n%s%s"):format(value, cure(value), place(info), info.traceback, list_further(info))
end

-- What is raised for one out of a run: to a string its text is added, any other value passes untouched.
function report.raised(info)
  if type(info.value) ~= "string" then return info.value end
  return report.text(info, info.value)
end

-- The failure that a scope ends with: the first that nobody has joined. The rest of them stand beside it.
function report.first(list)
  local first
  for _, info in ipairs(list or {}) do
    if info.unjoined or not info.async then
      if first then stands_beside(first, info) end
      first = first or info
    end
  end
  return first
end

report.remember, report.going_on_value = remember, recall
report.cancelled = hooks.cancelled

-- The watchdog's line, and that of a fiber that goes on though cancelled: to stderr.
function hooks.spins()
  local me = core.self()
  io.stderr:write(("weft: fiber %s has run for long without waiting\n%s\n"):format(
    report.title(me), debug.traceback("", 2):sub(2)))
end

function hooks.stubborn()
  io.stderr:write(("weft: fiber %s is cancelled, and has waited again 1,000 times\n%s\n"):format(
    report.title(core.self()), debug.traceback("", 2):sub(2)))
end

report.hooks = hooks
core.set_report(hooks)
return report
