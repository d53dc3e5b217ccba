-- SPDX-License-Identifier: MIT
local weft = require "weft"
local engine = require "engine"

weft.run(function()
  -- Posted: the handler runs in a fiber, once for each frame, in order, and may wait.
  local frames = weft.channel()
  engine.start(3, function(_, text) frames:put(text) end)
  for _ = 1, 3 do print(frames:get()) end
  --> frame 1
  --> frame 2
  --> frame 3

  -- Completed by a thread: an operation as any other.
  print(weft.timeout(engine.fetch "a page", 60):perform()) --> the text of a page

  -- On a thread of its own: other fibers go on meanwhile.
  print(engine.checksum "abc") --> 294

  -- Entered: a thread of the library's uses the state itself, while this fiber sleeps.
  _G.entered = 0
  engine.count()
  while _G.entered == 0 do weft.sleep(0.001) end
  print(_G.entered) --> 1
end)
