-- SPDX-License-Identifier: MIT
-- cqueues_unix.lua PATH BYTES CALLERS n: an echo by unix_echo.go, asked by so many coroutines of cqueues, each on a connection
-- of its own. Its CPU time (the server's is the suite's to add) and wall time a call.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local path, bytes, callers, n = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local head = string.char(math.floor(bytes / 16777216) % 256, math.floor(bytes / 65536) % 256, math.floor(bytes / 256) % 256,
  bytes % 256)
local message = head .. ("x"):rep(bytes)

local function ask(count)
  local s = assert(socket.connect { path = path })
  s:setmode("bf", "bf")
  s:setbufsiz(131072, 131072)
  for _ = 1, count do
    assert(s:write(message))
    assert(s:flush())
    local answer = assert(s:read(-#message - 0))
    while #answer < #message do answer = answer .. assert(s:read(#answer - #message)) end
  end
  s:close()
end

local function round(count)
  local loop = cqueues.new()
  for _ = 1, callers do loop:wrap(function() ask(math.floor(count / callers)) end) end
  assert(loop:loop())
end

round(n / 10)
local cpu, wall = os.clock(), cqueues.monotime()
round(n)
cpu, wall = os.clock() - cpu, cqueues.monotime() - wall
local name = ("%s_%d"):format(callers == 1 and "one" or "many", bytes)
print(("RESULT %s %.4f us"):format(name, cpu / n * 1e6))
print(("RESULT %s_wall %.4f us"):format(name, wall / n * 1e6))
