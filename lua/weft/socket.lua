-- SPDX-License-Identifier: MIT
-- weft.net.socket: a thin face of the system's sockets.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"

local perform = frames.perform
local socket = core.method_table "socket"

local function blocking(make) return function(self, ...) return perform(make(self, ...)) end end
for _, name in ipairs { "accept", "connect", "recv", "recvfrom", "send", "sendto" } do
  socket[name] = blocking(socket[name .. "_op"])
end

local words = {
  family = { ip4 = true, ip6 = true, unix = true },
  type = { stream = true, datagram = true },
}

local function word(opts, key, default)
  local v = opts[key]
  if v == nil then return default end
  if type(v) ~= "string" then check.refuse(check.option("socket", key), "string", v) end
  if not words[key][v] then core.misuse(("bad %s (there is no '%s')"):format(check.option("socket", key), v)) end
  return v
end

return function(opts)
  opts = opts == nil and {} or check.options("socket", 1, opts, words)
  return core.socket(word(opts, "family", "ip4"), word(opts, "type", "stream") == "datagram")
end
