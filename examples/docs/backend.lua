-- SPDX-License-Identifier: MIT
local weft = require "weft"

-- Run it with lua5.4: inside `weft run` the backend has been chosen.
weft.run({ backend = "epoll" }, function()
  print(weft.inspect.backend().name) --> epoll
end)
