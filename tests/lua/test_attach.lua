-- SPDX-License-Identifier: MIT
-- A state that is attached for good, and driven piece by piece: weft.embed without native threads.

local t = require "harness"
local weft = require "weft"

local embed = weft.embed

-- Outside any fiber, in a state that is attached for the time of the case.
local function attached(name, f)
  t.outside(name, function()
    embed.attach()
    local ok, e = pcall(f)
    embed.detach()
    if not ok then error(e, 0) end
  end)
end

t.outside("spawn needs a runtime, or attach", function()
  local e = t.raises(nil, weft.spawn, function() end)
  t.truthy(tostring(e):find "weft.embed.attach", tostring(e))
end)

attached("step runs what is due, and tells when the next is", function()
  local steps = {}
  local before = weft.now()
  local late = weft.spawn(function()
    steps[#steps + 1] = "a"
    weft.sleep(3600)
  end)
  local ran, deadline = embed.step()
  t.truthy(ran)
  t.same(steps, { "a" })
  t.between(deadline, before + 3600, weft.now() + 3600)
  ran = embed.step()
  t.falsy(ran)
  late:cancel()
  weft.spawn(function()
    weft.sleep(0.02)
    steps[#steps + 1] = "b"
  end)
  repeat ran, deadline = embed.step(1) until #steps == 2
  t.truthy(ran)
  t.eq(deadline, nil)
end)

attached("fibers wait for each other over many steps", function()
  local ch, sum = weft.channel(), 0
  weft.spawn(function() for i = 1, 100 do ch:put(i) weft.yield() end ch:close() end)
  local f = weft.spawn(function() local i = ch:get() while i do sum = sum + i i = ch:get() end end)
  while f:status() ~= "done" do t.truthy((embed.step(1))) end
  t.eq(sum, 5050)
end)

attached("run in an attached state: what was spawned before goes on", function()
  local ch = weft.channel()
  weft.spawn(function() ch:put "from before" end)
  t.eq(weft.run(function() return ch:get() end), "from before")
  local f = weft.spawn(function() return 1 end)
  embed.step()
  t.eq(f:status(), "done")
end)

attached("run in an attached state still finds a deadlock", function()
  local e = t.raises(nil, weft.run, function() weft.channel():get() end)
  if not t.puc51 then t.truthy(weft.is_deadlock(e), tostring(e)) end
end)

attached("a failure is raised by step, and the state goes on", function()
  weft.spawn(function() error("first", 0) end)
  local cancelled = weft.spawn(function() weft.sleep(3600) end)
  local e = t.raises(nil, function() for _ = 1, 10 do embed.step() end end)
  t.truthy(tostring(e):find "first", tostring(e))
  t.eq(cancelled:status(), "cancelled")
  local f = weft.spawn(function() weft.sleep(0.001) end)
  while f:status() ~= "done" do embed.step(1) end
end)

t.outside("detach ends everything", function()
  embed.attach()
  embed.attach()
  local ended
  weft.spawn(function()
    weft.defer(function() ended = true end)
    weft.sleep(100)
  end)
  weft.daemon(function() weft.channel():get() end)
  embed.step()
  embed.detach()
  t.truthy(ended)
  t.raises(nil, weft.spawn, function() end)
end)

t.test("who may not drive", function()
  for _, name in ipairs { "step", "wait_events", "detach", "attach" } do
    local e = t.raises(nil, embed[name])
    t.truthy(tostring(e):find("'" .. name .. "'", 1, true), tostring(e))
  end
end)

t.test("inside weft.run it is too late to attach", function()
  for _, name in ipairs { "attach", "event_fd" } do
    local e = t.raises(nil, embed[name])
    t.truthy(tostring(e):find("before weft.run", 1, true), tostring(e))
  end
end)
