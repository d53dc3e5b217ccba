-- SPDX-License-Identifier: MIT
-- weft.latch: a count that goes down to zero, once, and stays there.
local check = require "weft.check"

local latch, change, new = require "weft.counter" ("latch", "%d to go, %d waiting")

function latch:count_down(k)
  change(self, k == nil and -1 or -check.integer("count_down", 1, k, 1))
end

return function(weft)
  function weft.latch(n) return new(weft, check.integer("latch", 1, n, 0)) end
end
