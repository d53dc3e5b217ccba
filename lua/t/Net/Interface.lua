-- SPDX-License-Identifier: MIT
-- t.Net.Interface: a snapshot of this machine's network interfaces, as tables.
local weft = require "weft"
local check = require "t.check"
local Address = require "t.Net.Address"

local flag_names = {
  IFF_UP = "up", IFF_RUNNING = "running", IFF_LOOPBACK = "loopback", IFF_POINTOPOINT = "point_to_point",
  IFF_MULTICAST = "multicast",
}

local function address(ip) return ip and Address((ip:gsub("%%.*", ""))) end

local function add(interface, entry)
  local family = entry.family == "ip4" and "AF_INET" or "AF_INET6"
  if interface[family] then return end    -- the first address counts
  interface[family] = {
    address = address(entry.address), netmask = address(entry.netmask), broadcast = address(entry.broadcast),
    peeraddress = address(entry.peer),
  }
end

local function snapshot()
  local by_name, order = {}, {}
  for _, entry in ipairs(assert(weft.net.interfaces())) do
    local interface = by_name[entry.name]
    if not interface then
      interface = { name = entry.name, flags = {} }
      for flag, name in pairs(flag_names) do interface.flags[flag] = entry[name] end
      by_name[entry.name] = interface
      order[#order + 1] = interface
    end
    add(interface, entry)
  end
  for _, interface in ipairs(order) do
    interface.address = (interface.AF_INET or interface.AF_INET6).address
  end
  return by_name, order
end

local class = {}

function class.list() return (snapshot()) end

-- The first that is up, runs and leads out of the machine over IPv4; else whatever there is.
function class.default()
  local _, order = snapshot()
  for _, interface in ipairs(order) do
    local flags = interface.flags
    if flags.IFF_UP and flags.IFF_RUNNING and not flags.IFF_LOOPBACK and interface.AF_INET then return interface end
  end
  return order[1]
end

return setmetatable(class, {
  __call = function(_, name)
    if type(name) ~= "string" then check.refuse("Interface", 1, "string", name) end
    if name == "default" then return class.default() end
    local interface = snapshot()[name]
    if interface then return interface end
    return nil, ("there is no interface '%s'"):format(name)
  end,
})
