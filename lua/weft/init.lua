-- SPDX-License-Identifier: MIT
-- weft: fibers, channels, Concurrent ML operations, structured scopes and an event loop.
-- This file puts the module together; annotations of everything in it are in types/weft.lua.
local core = require "weft.core"
core.add_home((debug.getinfo(1, "S").source:gsub("init%.lua$", "")))
local frames = require "weft.frames"

local weft = { _VERSION = "weft " .. core.version }

for _, name in ipairs { "spawn", "async", "daemon", "channel", "now", "time", "sleep_op", "sleep_until_op", "always",
  "never" } do
  weft[name] = core[name]
end
for _, name in ipairs { "yield", "sleep", "sleep_until" } do weft[name] = frames[name] end

require "weft.operation" (weft)
require "weft.shared_channel" (weft)
require "weft.native"
require "weft.dynamic" (weft)
require "weft.errors" (weft)
require "weft.fiber" (weft)
require "weft.scope" (weft)
require "weft.run" (weft)
require "weft.sync" (weft)
require "weft.embed" (weft)
weft.inspect = require "weft.inspect"
weft.foreign = require "weft.foreign"
weft.buffer = require "weft.buffer"
require "weft.pollable" (weft)
weft.net = {
  tcp = require "weft.tcp", socket = require "weft.socket",
  parse_address = core.parse_address, interfaces = core.interfaces,
}

return weft
