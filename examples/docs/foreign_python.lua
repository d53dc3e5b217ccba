-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local versions = assert(weft.foreign.python("foreign_python", {
    path = "examples/docs", config = ":memory:", threads = 1,
  }))
  versions:add "5.1 2006"
  versions:add "5.4 2020"
  print(versions:newest())                     --> true	5.4

  local parts = versions:all_parts()
  print(parts:read(), parts:read(), parts:read()) --> 5.1 (2006)	5.4 (2020)	nil

  weft.scope(function(s)                       -- all three are under way at once
    for _, word in ipairs { "a", "b", "c" } do
      s:spawn(function() assert(select(2, versions:later(word)) == word:upper()) end)
    end
  end)

  print(weft.timeout(versions:patient_op(), 0.05):perform()) --> nil	timeout	timeout

  local ok, rc, err = versions:add "nonsense"
  print(ok, rc, err:match "[^\n]*$")           --> false	1	ValueError: not enough values to unpack (expected 2, got 1)
  versions:unload()
end)
