-- SPDX-License-Identifier: MIT
-- Waiting anywhere: a fiber waits itself, other code drives a runtime until the operation has happened.
local weft = require "weft"

local function perform(op) return op:perform() end

return function(op)
  if weft.self() then return op:perform() end
  return weft.run(perform, op)
end
