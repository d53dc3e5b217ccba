-- SPDX-License-Identifier: MIT
--
-- A primitive of your own: weft run examples/barrier_base_op.lua
--
-- weft.base_op makes an operation of two functions. try() completes now or says false; block(s, wrap) leaves
-- the suspension s where a partner finds it, and says with s:on_done how to take it back. That is all: it can
-- then be put into choices, be wrapped, and be cancelled like everything else.

local weft = require "weft"

-- Happens when n fibers perform it: a barrier, in twenty lines. Who gives up leaves the barrier.
local function barrier(n)
  local waiting = {}
  local function try()
    local there = 0
    for s in pairs(waiting) do there = there + (s:waiting() and 1 or 0) end
    if there < n - 1 then return false end
    for s, wrap in pairs(waiting) do s:complete(wrap, "released") end
    waiting = {}
    return true, "the last one"
  end
  local function block(s, wrap)
    waiting[s] = wrap
    s:on_done(function() waiting[s] = nil end)
  end
  return weft.base_op(function(...) return ... end, try, block)
end

weft.run(function()
  local meet = barrier(3)
  local function wait() return meet:perform() end

  local a, b = weft.spawn(wait), weft.spawn(wait)
  weft.sleep(0.01)
  print(meet:perform()) --> the last one
  print(a:join(), b:join()) --> released	released

  -- In a choice, lost: it has left the barrier again.
  print(weft.timeout(meet, 0.01):perform()) --> nil	timeout	timeout
  -- Cancelled: the same.
  local c = weft.spawn(wait)
  weft.sleep(0.01)
  c:cancel()

  a, b = weft.spawn(wait), weft.spawn(wait)
  weft.sleep(0.01)
  print(a:status(), b:status()) --> parked	parked
  print(meet:try()) --> true	the last one
end)
