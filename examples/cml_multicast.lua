-- SPDX-License-Identifier: MIT
--
-- The multicast channel of Concurrent ML: weft run examples/cml_multicast.lua
--
-- Every port gets every message sent after it was made, in the same order, however slow its reader is. The
-- ports form a chain: each has a daemon, its tee, that keeps a copy of what passes and hands it on.
-- (weft.broadcast does the same with bounded memory, and tells a reader that is too slow.)

local weft = require "weft"

local function multicast()
  local first -- the tee that was made last: it is the head of the chain
  local mc = {}

  function mc.send(message)
    if first then first:put(message) end
  end

  -- An operation that gets the next message of a new port.
  function mc.port()
    local from, kept, onward = weft.channel(), weft.channel(math.huge), first
    weft.daemon(function()
      while true do
        local message = from:get()
        kept:put(message)
        if onward then onward:put(message) end
      end
    end)
    first = from
    return kept:get_op()
  end

  return mc
end

weft.run(function()
  local mc = multicast()
  mc.send "nobody hears this"

  local early = mc.port()
  mc.send "one"
  local late = mc.port()
  mc.send "two"
  mc.send "three"

  print(early:perform(), early:perform(), early:perform()) --> one	two	three
  print(late:perform(), late:perform()) --> two	three
  print(weft.timeout(late, 0.01):perform()) --> nil	timeout	timeout

  -- A hundred readers, a hundred messages.
  local sum = 0
  weft.scope(function(s)
    for _ = 1, 100 do
      local port = mc.port()
      s:spawn(function()
        for _ = 1, 100 do
          local n = port:perform()
          sum = sum + n
        end
      end)
    end
    for i = 1, 100 do mc.send(i) end
  end)
  print(sum) --> 505000
end)
