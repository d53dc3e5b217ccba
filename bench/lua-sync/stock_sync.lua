-- SPDX-License-Identifier: MIT
-- The stock coroutine table, or with a path that of generator_floor.c.
local here = arg[0]:match("^(.*)/") or "."
local bench = dofile(here .. "/../lua-micro/common.lua")
local generator = dofile(here .. "/generator.lua")
local sections = {}

if arg[2] then
  local floor = assert(package.loadlib(arg[2], "luaopen_generator_floor"))()
  for name, f in pairs(floor) do coroutine[name] = f end -- luacheck: ignore
end

for _, how in ipairs { "wrap", "resume" } do
  sections["generator_" .. how] = function()
    local n = bench.scaled(5e6)
    local start = bench.clock()
    generator[how](n)
    bench.result("generator_" .. how, (bench.clock() - start) / n * 1e9, "ns")
  end
end

bench.main(sections)
