-- SPDX-License-Identifier: MIT
-- How the document begins. A loop with nothing in it returns at once.

local Loop = require "t.Loop"

local l = Loop()
l:run()
print(#l)                                 --> 0
