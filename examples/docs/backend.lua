-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run({ backend = "epoll" }, function()
  print(weft.inspect.backend().name) --> epoll
end)
