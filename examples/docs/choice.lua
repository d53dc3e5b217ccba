-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local letters, numbers = weft.channel(), weft.channel()
  weft.spawn(function()
    weft.sleep(0.002)
    numbers:put(42)
  end)

  -- What happens first wins. wrap says what to make of it.
  local what, v = weft.choose(
    letters:get_op():wrap(function(s) return "a letter", s end),
    numbers:get_op():wrap(function(n) return "a number", n end),
    weft.sleep_op(60):wrap(function() return "nothing" end)
  ):perform()
  print(what, v)                          --> a number	42

  -- Not waiting at all.
  print(letters:get_op():perform_alt(function() return "no letter" end)) --> no letter
  print(letters:get_op():try())           --> false
end)
