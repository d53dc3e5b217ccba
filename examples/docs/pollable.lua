-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local program = io.popen "sleep 0.01; echo done"
  local p = assert(weft.pollable(program))

  -- Whatever comes first: something to read, or a minute.
  print(weft.timeout(p:readable_op(), 60):perform()) --> true
  print(program:read "*l")                --> done
  p:close()                               -- of the pollable; the file stays open
  program:close()
end)
