-- SPDX-License-Identifier: MIT
-- luv has no fibers: a coroutine for each timer, as its users write it.
local bench = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local uv = require "luv"
local sections = {}

function sections.sleepers()
  local n = bench.scaled(bench.count)
  local start = bench.clock()
  math.randomseed(7)
  for _ = 1, n do
    local co
    co = coroutine.create(function()
      local timer = uv.new_timer()
      timer:start(math.random(0, 1000), 0, function()
        timer:close()
        coroutine.resume(co)
      end)
      coroutine.yield()
    end)
    coroutine.resume(co)
  end
  uv.run()
  bench.result("sleepers_" .. bench.count, (bench.clock() - start) * 1e3, "ms")
end

bench.main(sections)
