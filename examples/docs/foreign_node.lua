-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local rt = assert(weft.foreign.node("./examples/docs/foreign_node.js", { config = "Hello" }))
  print(rt:greet "weft")                       --> true	Hello, weft

  local ok, packed = rt:gzip(("compress me "):rep(100))
  print(ok, #packed < 100)                     --> true	true

  local parts = rt:words_parts "one two"
  print(parts:read(), parts:read(), parts:read()) --> one	two	nil

  weft.scope(function(s)                       -- all three are under way at once
    for _, word in ipairs { "a", "b", "c" } do
      s:spawn(function() assert(select(2, rt:later(word)) == word:upper()) end)
    end
  end)

  print(weft.timeout(rt:patient_op(), 0.05):perform()) --> nil	timeout	timeout

  local failed, rc, err = rt:missing()
  print(failed, rc, err:match "has no .*")     --> false	1	has no function missing
  rt:unload()
end)
