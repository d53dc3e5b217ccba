-- SPDX-License-Identifier: MIT
--
-- The swap channel of Concurrent ML: weft run examples/cml_swap.lua
--
-- Two fibers meet and exchange values. Neither knows who of them sends: each offers both, and the choice
-- commits to exactly one. The swap is an operation like any other, so it may stand in a choice itself.

local weft = require "weft"

local function swap_channel()
  local meeting = weft.channel()
  return function(mine)
    -- A guard, since each perform needs a channel of its own for the answer.
    return weft.guard(function()
      local answer = weft.channel()
      local as_getter = meeting:get_op():wrap(function(offer)
        offer.answer:put(mine)
        return offer.value
      end)
      local as_putter = meeting:put_op({ value = mine, answer = answer }):wrap(function() return answer:get() end)
      return weft.choose(as_getter, as_putter)
    end)
  end
end

weft.run(function()
  local swap = swap_channel()

  local other = weft.spawn(function() return swap("from the child"):perform() end)
  print(swap("from the parent"):perform()) --> from the child
  print(other:join()) --> from the parent

  -- Nobody to swap with: the offer is withdrawn, both halves of it.
  print(weft.timeout(swap "nobody wants this", 0.01):perform()) --> nil	timeout	timeout

  -- Two that swap among four: two pairs, nothing lost.
  local sum = 0
  weft.scope(function(s)
    for i = 1, 4 do
      s:spawn(function()
        local got = swap(i):perform()
        sum = sum + got
      end)
    end
  end)
  print(sum) --> 10
end)
