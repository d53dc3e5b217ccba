-- SPDX-License-Identifier: MIT
local uv = require "luv"
local listener = uv.new_tcp()
listener:bind("127.0.0.1", tonumber(arg[1]))
listener:listen(4096, function()
  local stream = uv.new_tcp()
  listener:accept(stream)
  stream:nodelay(true)
  stream:read_start(function(_, bytes)
    if not bytes then return stream:close() end
    if stream:try_write(bytes) ~= #bytes then error "a short write" end
  end)
end)
uv.run()
