-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local inbox = weft.channel()
  local reader = weft.spawn(function() inbox:get() end)
  reader:name "reader"
  weft.yield()

  for _, fiber in ipairs(weft.inspect.fibers()) do
    if fiber.name == "reader" then print(fiber.state, fiber.waiting) end --> parked	to get from a channel
  end
  -- All of it as text, with tracebacks: weft.inspect.dump()
  print(weft.inspect.dump():match "'reader' %(#%d+%): parked, waits to get from a channel" ~= nil) --> true
  inbox:put "done"
end)
