-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  -- weft.pcall may be waited in on every Lua; pcall itself on all but Lua 5.1.
  print(weft.pcall(function()
    weft.sleep(0.001)
    return "waited"
  end))                                   --> true	waited

  -- Below a C function that calls back no Lua can wait: an error, which names the function where Lua tells.
  local ok, e = weft.pcall(table.sort, { 3, 1, 2 }, function(a, b)
    weft.yield()
    return a < b
  end)
  print(ok, type(e))                      --> false	string
end)
