-- SPDX-License-Identifier: MIT
-- A function with its arguments, as nodes and tasks keep it: `shown` is the table { function, arguments... } that
-- is their user value.
local unpack = table.unpack or unpack -- luacheck: ignore

local call = {}

function call.new(f, ...) return { shown = { f, ... }, n = select("#", ...) + 1 } end
function call.run(c) return c.shown[1](unpack(c.shown, 2, c.n)) end

return call
