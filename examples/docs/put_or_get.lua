-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local inbox, outbox = weft.channel(1), weft.channel(1)
  inbox:put("letter")

  -- Sends or receives, whichever can happen; the arm that loses leaves no trace.
  local step = weft.choose(
    outbox:put_op("parcel"):wrap(function() return "sent" end),
    inbox:get_op():wrap(function(v) return "received " .. v end)
  )
  local log = { step:perform(), step:perform() }
  table.sort(log)
  print(log[1], log[2])                   --> received letter	sent
end)
