-- SPDX-License-Identifier: MIT
-- A function with its arguments, as nodes and tasks keep it: `shown` is the table { function, arguments... } that
-- is their user value, `line` where the user gave it.
local core = require "weft.core"
local unpack = table.unpack or unpack -- luacheck: ignore

local call = {}

function call.new(f, ...) return { shown = { f, ... }, n = select("#", ...) + 1, line = core.user_line() } end

-- Errors in the fiber then name the user's line.
function call.name_line(c, fiber) core.extras(fiber, true).spawned = c.line end

function call.run(c) return c.shown[1](unpack(c.shown, 2, c.n)) end

return call
