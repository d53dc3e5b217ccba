-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local lines = weft.channel(4)
  weft.spawn(function()
    for i = 1, 3 do lines:put("line " .. i) end
    lines:close()
  end)

  -- A generator of your own that waits: the wait reaches the scheduler, coroutine.yield the caller.
  local words = coroutine.wrap(function()
    local line = lines:get()
    while line do
      for word in line:gmatch "%S+" do coroutine.yield(word) end
      line = lines:get()
    end
  end)
  local n, word = 0, words()
  while word do
    n = n + 1
    word = words()
  end
  print(n, "words")                       --> 6	words
end)
