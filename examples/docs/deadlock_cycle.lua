-- SPDX-License-Identifier: MIT
local weft = require "weft" -- with lua5.4: under weft run this is inside a run already

local ok, e = pcall(weft.run, function()
  local a, b = weft.mutex(), weft.mutex()
  local function lock_both(first, second)
    first:lock()
    weft.yield()
    second:lock()
  end
  weft.spawn(lock_both, a, b):name "one"
  weft.spawn(lock_both, b, a):name "two"
end)
print(ok, weft.is_deadlock(e))            --> false	true
print(tostring(e):match "fiber 'one' %(#%d+%) waits for a mutex held by fiber 'two'" ~= nil) --> true
