-- SPDX-License-Identifier: MIT
-- Calls of a worker's requests that are out. Each has a waiter: an ngx.semaphore that the coroutine of the
-- request is parked on, and the C side's record; they are reused. What ends the wait is deliver(), or the
-- eventfd's handler in C, on nginx's event loop; never another thread.
local ffi = require "ffi"
local abi = require "weft.nginx.abi"
local new_semaphore = require "ngx.semaphore".new

local calls = {}

local batch = 64
local polling = 0.002 -- seconds between two looks where nobody tells us
local day = 86400     -- of the most that a semaphore waits
local sweep_every = 0.1

local bridge
local done = ffi.new("weft_nginx_call *[?]", batch)
local waiters = {} -- by number
local free = {}    -- those that are not busy
local busy = 0
local sweeping = false

-- Set by weft.nginx.bell: whether somebody delivers as soon as an answer is there; what is called when the last call
-- that is out has ended.
calls.told = false
calls.when_idle = nil

function calls.open(opened) bridge = opened end
function calls.busy() return busy end

-- Semaphores' addresses are for the eventfd's handler. The field is ngx.semaphore's own.
local function renew_semaphore(waiter)
  local semaphore, why = new_semaphore(0)
  if not semaphore then return nil, why end
  waiter.semaphore = semaphore
  waiter.call.semaphore = type(semaphore.sem) == "cdata" and ffi.cast("void *", semaphore.sem) or nil
  return waiter
end

local function new_waiter()
  local number = #waiters + 1
  local call = abi.weft_nginx_call_new(bridge, number)
  if call == nil then return nil, "not enough memory" end
  local waiter, why = renew_semaphore { call = call, busy = false }
  if not waiter then return nil, why end
  waiters[number] = waiter
  return waiter
end

local function take_waiter()
  local n = #free
  if n == 0 then return new_waiter() end
  local waiter = free[n]
  free[n] = nil
  return waiter
end

local function give_back(waiter)
  abi.weft_nginx_leave(waiter.call)
  waiter.busy = false
  busy = busy - 1
  if busy == 0 and calls.when_idle then calls.when_idle() end
  free[#free + 1] = waiter
end

-- Wakes the requests whose answers have come: whether there were any.
local function deliver()
  local some = false
  repeat
    local n = abi.weft_nginx_take(bridge, done, batch)
    for i = 0, n - 1 do waiters[done[i].number].semaphore:post(1) end
    some = some or n > 0
  until n < batch
  return some
end

-- Once. For who looks now and then.
function calls.look()
  deliver()
  abi.weft_nginx_settle(bridge)
end

-- Until nothing is left and the bell is set. let_go_on() returns when the requests that have been woken have gone on,
-- in the same turn of nginx's loop.
function calls.deliver_all(let_go_on)
  repeat
    if deliver() then let_go_on() end
  until abi.weft_nginx_settle(bridge) == 0
end

-- A coroutine that nginx has ended (its client has gone, its light thread was killed) is no longer parked on
-- its semaphore, and nothing else tells. The count is what was posted less who waits.
local function has_left(waiter) return waiter.busy and waiter.semaphore:count() == waiter.call.done end

local function sweep(premature)
  sweeping = false
  if premature then return end
  for _, waiter in ipairs(waiters) do
    if has_left(waiter) and renew_semaphore(waiter) then give_back(waiter) end
  end
  if busy > 0 then calls.watch() end
end

function calls.watch() sweeping = ngx.timer.at(sweep_every, sweep) and true or false end

-- True; or false and why.
local function wait(waiter, timeout)
  local left = timeout or math.huge
  repeat
    local slice = math.min(left, calls.told and day or polling)
    local ok, why = waiter.semaphore:wait(slice)
    if ok then return true end
    if why ~= "timeout" then return false, why end
    -- It came in the same turn of the loop, behind the timer.
    if waiter.call.done == 1 then return waiter.semaphore:wait(0) end
    if not calls.told then calls.look() end
    left = left - slice
  until left <= 0
  return false, "timeout"
end

local refusals = { "queue full", "unloaded", "not enough memory" }

-- Asks `library` by a lasting name, and parks this coroutine until the answer is there: true and the answer; or false,
-- the library's status and its answer; or false and why.
function calls.perform(library, name, request, timeout)
  local waiter, why = take_waiter()
  if not waiter then return false, why end
  local call = waiter.call
  local refusal = abi.weft_nginx_post(call, library, name, request, request and #request or 0, timeout or 0)
  if refusal ~= 0 then
    free[#free + 1] = waiter
    return false, refusals[refusal]
  end
  waiter.busy = true
  busy = busy + 1
  if not sweeping then calls.watch() end
  local ok
  ok, why = wait(waiter, timeout)
  if not ok then
    give_back(waiter)
    return false, why
  end
  local status, answer = call.status, nil
  if call.answer ~= nil then answer = ffi.string(call.answer, call.answer_size) end
  give_back(waiter)
  if status ~= 0 then return false, status, answer end
  return true, answer
end

return calls
