-- SPDX-License-Identifier: MIT
-- luacheck over lua/, tests/ and examples/: one source for Lua 5.1 to 5.5 and LuaJIT.
std = "max"
max_line_length = 120
-- self may go unused in a method; unused arguments document a callback's shape.
self = false
unused_args = false
files["lua/weft/nginx"] = { read_globals = { "ngx" } }
