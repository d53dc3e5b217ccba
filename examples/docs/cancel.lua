-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local fiber = weft.spawn(function()
    local ok, e = weft.pcall(weft.sleep, 3600)
    print("woken", ok, weft.is_cancelled(e)) --> woken	false	true
    print((weft.pcall(weft.sleep, 3600))) --> false
    error(e, 0)                           -- clean up, and let it go on its way
  end)
  weft.yield()
  fiber:cancel("not needed")

  local ok, e = weft.pcall(fiber.join, fiber)
  print(ok, fiber:status(), e.reason)     --> false	cancelled	not needed
end)
