-- SPDX-License-Identifier: MIT
local weft = require "weft"
local context = weft.context

weft.run(function()
  local ctx, cancel = context.with_timeout(context.background(), 60)
  ctx = context.with_value(ctx, "user", "ann")

  local worker = weft.spawn(function()
    return weft.choose(
      ctx:done_op():wrap(function(err) return ctx:value "user" .. " gave up: " .. err end),
      weft.sleep_op(3600):wrap(function() return "done" end)
    ):perform()
  end)
  cancel()
  print(worker:join())                    --> ann gave up: cancelled
end)
