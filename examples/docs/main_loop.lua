-- SPDX-License-Identifier: MIT
local weft = require "weft" -- with lua5.4: under weft run this is inside a run already
local embed = weft.embed

embed.attach()

local lines = weft.channel()
weft.spawn(function()
  for i = 1, 3 do
    weft.sleep(0.01)
    lines:put("line " .. i)
  end
  lines:close()
end)
local reader = weft.spawn(function()
  local line = lines:get()
  while line do
    print(line)
    line = lines:get()
  end
end)

-- A main loop that is not weft's: it sleeps until there is something to do, and gives weft a turn.
while reader:status() ~= "done" do
  embed.step()
  embed.wait_events(1)
end
--> line 1
--> line 2
--> line 3

-- weft.run works as ever meanwhile, on the same runtime.
print(weft.run(function()
  weft.sleep(0.001)
  return "run"
end)) --> run

embed.detach()
