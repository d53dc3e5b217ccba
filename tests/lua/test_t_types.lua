-- SPDX-License-Identifier: MIT
-- types/t.lua names the methods that there are, and no others.

local t = require "harness"
local tt = require "t"

local function annotations()
  local here = t.file:match("^(.*/)") or "./"
  return t.slurp(here .. "../../types/t.lua")
end

-- The methods of each class, and its annotated names.
local function classes()
  local loop = tt.Loop()
  local socket, buffer = tt.Net.Socket "udp", tt.Buffer(4)
  local objects = {
    Loop = loop, Node = loop:addHandle(socket, "r", print), Task = loop:addTask(1, print), Time = tt.Time(1),
    Buffer = buffer, Segment = buffer:Segment(1, 2), Address = tt.Net.Address(), Interface = tt.Net.Interface,
    Socket = socket,
  }
  return objects, function() socket:close() end
end

t.test("every annotated method is there", function()
  local objects, close = classes()
  local seen = 0
  for class, name in annotations():gmatch "\nfunction (%u%w*)[.:]([%w_]+)" do
    local object = objects[class]
    if class == "Socket" and name == "select" then object = tt.Net.Socket end
    t.eq(type(object[name]), "function", class .. ":" .. name)
    seen = seen + 1
  end
  t.truthy(seen > 40)
  close()
end)

t.test("every method is annotated", function()
  local objects, close = classes()
  local annotated, missing = {}, {}
  for class, name in annotations():gmatch "\nfunction (%u%w*)[.:]([%w_]+)" do annotated[class .. ":" .. name] = true end
  for class, object in pairs(objects) do
    local methods = object
    if type(object) == "userdata" then
      for i = 1, math.huge do
        local name, value = debug.getupvalue(debug.getmetatable(object).__index, i)
        if not name then error "no table of methods" end
        methods = value
        if name == "methods" then break end
      end
    end
    for name in pairs(methods) do
      if not annotated[class .. ":" .. name] then missing[#missing + 1] = class .. ":" .. name end
    end
  end
  table.sort(missing)
  t.eq(table.concat(missing, " "), "")
  close()
end)

t.test("every annotated property of a socket is there", function()
  local socket, address = tt.Net.Socket(), tt.Net.Address()
  local text = annotations():match "%-%-%-@class t.Socket\n(.-)\nlocal"
  for name in text:gmatch "%-%-%-@field (%w+)" do t.ne(socket[name], nil, name) end
  text = annotations():match "%-%-%-@class t.Address\n(.-)\nlocal"
  for name in text:gmatch "%-%-%-@field (%w+)" do t.ne(address[name], nil, name) end
  socket:close()
end)
