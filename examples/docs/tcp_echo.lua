-- SPDX-License-Identifier: MIT
local weft = require "weft"
local tcp = weft.net.tcp

local function echo(stream)
  while true do
    local bytes = stream:read_some()
    if not bytes then break end           -- the end, or an error
    if not stream:write(bytes) then break end
  end
  stream:close()
end

weft.run(function()
  local listener = assert(tcp.listen("127.0.0.1", 0)) -- port 0: a free one
  weft.daemon(function()
    while true do weft.spawn(echo, assert(listener:accept())) end
  end)

  local stream = assert(tcp.connect(listener:address()))
  assert(stream:write("hello"))
  print(stream:read_some())               --> hello
  stream:shutdown("w")                    -- no more from us
  print(stream:read_some())               --> nil
  stream:close()
end)
