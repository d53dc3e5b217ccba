-- SPDX-License-Identifier: MIT
-- weft.waitgroup: a count of what is still to be done; wait until it is zero. Reusable.
local check = require "weft.check"

local waitgroup, change, new = require "weft.counter" ("waitgroup", "%d to do, %d waiting")

function waitgroup:add(n)
  if n == nil then n = 1 end
  change(self, check.integer("add", 1, n, -math.huge))
end

function waitgroup:done() change(self, -1) end

return function(weft)
  function weft.waitgroup() return new(weft, 0) end
end
