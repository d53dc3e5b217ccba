-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local settings = weft.once(function()
    print("reading the settings")         --> reading the settings
    weft.sleep(0.001)                     -- whoever comes meanwhile waits for this call
    return { colour = "blue" }
  end)
  local seen = weft.map({ 1, 2, 3 }, function() return settings().colour end)
  print(seen[1], seen[2], seen[3])        --> blue	blue	blue

  local reply = weft.oneshot()            -- a value that is set once, for any number of readers
  weft.spawn(function() reply:set(42) end)
  print(reply:get(), reply:get())         --> 42	42
end)
