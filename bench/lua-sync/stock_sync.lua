-- SPDX-License-Identifier: MIT
local here = arg[0]:match("^(.*)/") or "."
local bench = dofile(here .. "/../lua-micro/common.lua")
local generator = dofile(here .. "/generator.lua")
local sections = {}

for _, how in ipairs { "wrap", "resume" } do
  sections["generator_" .. how] = function()
    local n = bench.scaled(5e6)
    local start = bench.clock()
    generator[how](n)
    bench.result("generator_" .. how, (bench.clock() - start) / n * 1e9, "ns")
  end
end

bench.main(sections)
