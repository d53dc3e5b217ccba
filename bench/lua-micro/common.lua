-- SPDX-License-Identifier: MIT
-- What the Lua programs here share. Each is started as `program.lua <section> [count]` and prints lines
-- "RESULT name value unit". os.clock is CPU time: the programs have one thread and a core of their own.
local bench = { clock = os.clock, count = tonumber(arg[2]) }
local scale = tonumber(os.getenv("SCALE") or 1)

function bench.scaled(n) return math.floor(n * scale) end

function bench.result(name, value, unit) print(string.format("RESULT %s %.6g %s", name, value, unit)) end

function bench.resident() -- bytes
  local f = assert(io.open("/proc/self/statm"))
  local pages = f:read("*a"):match("^%d+ (%d+)")
  f:close()
  return pages * 4096
end

-- Bytes that each of n things costs which `make` leaves behind.
function bench.resident_each(name, n, make)
  collectgarbage()
  collectgarbage()
  local before = bench.resident()
  make()
  bench.result(name, (bench.resident() - before) / n, "B")
end

-- Which channel the producer of `choice` fires next.
function bench.random_indices(k)
  local list = {}
  for i = 1, 1024 do list[i] = math.random(k) end
  return list
end

function bench.main(sections) sections[arg[1]]() end

return bench
