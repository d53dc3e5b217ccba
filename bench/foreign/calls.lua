-- SPDX-License-Identifier: MIT
-- calls.lua LIBRARY CONFIG BYTES FIBERS n [PAUSE]: CPU time of the process, and wall time, of an echo of so many bytes by a foreign
-- library, asked n times by so many fibers, PAUSE seconds apart. Each round trip is checked for its length.
local weft = require "weft"

local library, config, bytes, fibers, n = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])
local pause = tonumber(arg[6])
local request = ("x"):rep(bytes)

weft.run(function()
  local rt = assert(weft.foreign.load(library, config ~= "" and config or nil))
  local function ask(count)
    for _ = 1, count do
      if pause then weft.sleep(pause) end
      local ok, answer = rt:echo(request)
      if not ok or #answer ~= bytes then error "no echo" end
    end
  end
  local function round(count)
    weft.scope(function(s)
      for _ = 1, fibers do s:spawn(function() ask(count / fibers) end) end
    end)
  end
  round(n / 10)
  local cpu, wall = os.clock(), weft.now()
  round(n)
  cpu, wall = os.clock() - cpu, weft.now() - wall
  local name = ("%s_%d"):format(pause and "parked" or fibers == 1 and "one" or "many", bytes)
  print(("RESULT %s %.4f us"):format(name, cpu / n * 1e6))
  print(("RESULT %s_wall %.4f us"):format(name, wall / n * 1e6))
end)
