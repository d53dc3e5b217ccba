-- SPDX-License-Identifier: MIT
-- t: what programs for lua-t's event loop use of it, over weft. See docs/loop.md.
return {
  Loop = require "t.Loop",
  Time = require "t.Time",
  Buffer = require "t.Buffer",
  Net = require "t.Net",
}
