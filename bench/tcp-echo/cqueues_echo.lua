-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local function serve(stream)
  stream:onerror(function(_, _, code) return code end)
  stream:setmode("bn", "bn") -- binary, output not buffered
  local bytes = stream:xread(-16384)
  while bytes and stream:xwrite(bytes, "bn") do bytes = stream:xread(-16384) end
  stream:close()
end

local listener = socket.listen { host = "127.0.0.1", port = tonumber(arg[1]), nodelay = true }
local loop = cqueues.new()
loop:wrap(function()
  for stream in listener:clients() do loop:wrap(serve, stream) end
end)
assert(loop:loop())
