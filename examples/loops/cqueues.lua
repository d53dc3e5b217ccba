-- SPDX-License-Identifier: MIT
-- The reverse: a cqueues controller inside weft. It says what it waits for (pollfd, events, timeout), so a fiber waits
-- for that, and steps it.
local weft = require "weft"
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local function drive(controller)
  local descriptor = assert(weft.pollable(controller:pollfd()))
  while not controller:empty() do
    local ready = controller:events() == "w" and descriptor:writable_op() or descriptor:readable_op()
    weft.timeout(ready, controller:timeout() or math.huge):perform()
    assert(controller:step(0))
  end
end

weft.run(function()
  local controller = cqueues.new()
  local ours, theirs = socket.pair()
  local slept, ticks = 0, 0
  controller:wrap(function()
    for _ = 1, 5 do
      cqueues.sleep(0.002)
      slept = slept + 1
    end
  end)
  controller:wrap(function()
    for i = 1, 3 do
      ours:write(("message %d\n"):format(i))
      ours:flush()
      cqueues.sleep(0.001)
    end
    ours:shutdown "w"
  end)
  controller:wrap(function()
    local line = theirs:read()
    while line do
      print("cqueues: " .. line)
      line = theirs:read()
    end
  end)
  --> cqueues: message 1
  --> cqueues: message 2
  --> cqueues: message 3

  local ticking = weft.daemon(function()
    while true do
      weft.sleep(0.001)
      ticks = ticks + 1
    end
  end)
  drive(controller)
  ticking:cancel()
  print("cqueues slept " .. slept .. " times") --> cqueues slept 5 times
  print(ticks > 0 and "fibers ran meanwhile") --> fibers ran meanwhile
end)
