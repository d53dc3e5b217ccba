-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local versions = assert(weft.foreign.python("foreign_python", {
    path = "examples/docs", config = ":memory:", threads = 1,
  }))
  versions:add "5.1 2006"
  versions:add "5.4 2020"

  local parts = assert(versions:all_parts())   -- or all_parts("a request"); parts:close() cancels
  local part = parts:read()
  while part do                                -- for part in parts:iter() do, but on Lua 5.1
    print(part)                                --> 5.1 (2006)
    part = parts:read()                        --> 5.4 (2020)
  end
  versions:unload()
end)
