-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local fiber = weft.spawn(function()
    weft.sleep(0.001)
    error("no luck", 0)
  end)
  -- Somebody waits for it: the failure is his, not the scope's.
  print(weft.pcall(fiber.join, fiber))    --> false	no luck

  local patient = weft.async(function() error("seen later", 0) end)
  weft.sleep(0.005)
  print(weft.pcall(patient.join, patient)) --> false	seen later
end)
