-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  -- libupper.so, from LD_LIBRARY_PATH or package.cpath; or a path.
  local upper = assert(weft.foreign.load("upper", nil, { timeout = 60 }))

  -- Any name is a request; it waits without blocking, so others run meanwhile.
  local ok, answer = upper:shout("hello")
  print(ok, answer)                                     --> true	HELLO

  -- Many at once: each fiber waits for its own answer.
  local words = weft.map({ "one", "two", "three" }, function(word) return select(2, upper:shout(word)) end)
  print(table.concat(words, " "))                       --> ONE TWO THREE

  -- As an operation, beside others. A lost one is cancelled, and the library can see that.
  print(weft.choose(
    upper:shout_op("in time"):wrap(function(_, a) return a end),
    weft.sleep_op(60):wrap(function() return "too late" end)
  ):perform())                                          --> IN TIME

  -- Bytes outside the collector are lent, not copied. (The library is free to change what it is lent.)
  print(upper:shout(weft.buffer("a long "):append("message")))  --> true	A LONG MESSAGE

  upper:unload()
  print(upper:shout("anybody?"))                        --> false	unloaded
end)
