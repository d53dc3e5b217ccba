-- SPDX-License-Identifier: MIT
-- Puts the primitives that are written in Lua, over base_op, into the weft table.
local modules = {
  "mutex", "rwmutex", "semaphore", "cond", "waitgroup", "latch", "barrier", "once", "oneshot", "broadcast",
  "watch", "pool", "map", "ticker", "limiter", "supervise", "locals", "context",
}

return function(weft)
  for i = 1, #modules do require("weft." .. modules[i])(weft) end
end
