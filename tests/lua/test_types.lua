-- SPDX-License-Identifier: MIT
-- types/weft.lua names what there is, and nothing else.

local t = require "harness"
local weft = require "weft"

-- Announced for later.
local later = { foreign = true, embed = true, buffer = true }

local function annotations()
  local here = t.file:match("^(.*/)") or "./"
  return t.slurp(here .. "../../types/weft.lua")
end

local function names()
  local found = {}
  local text = annotations()
  for name in text:gmatch("\nfunction weft%.([%w_.]+)") do found[name] = true end
  for name in text:gmatch("\nweft%.([%w_.]+) =") do found[name] = true end
  return found
end

t.test("every public function is annotated", function()
  local annotated, missing = names(), {}
  local function walk(part, prefix)
    for name, v in pairs(part) do
      if not annotated[prefix .. name] and name ~= "_VERSION" then missing[#missing + 1] = prefix .. name end
      if type(v) == "table" and name ~= "locals" then walk(v, prefix .. name .. ".") end
    end
  end
  walk(weft, "")
  table.sort(missing)
  t.eq(table.concat(missing, " "), "")
end)

t.test("every annotated function is there", function()
  for name in pairs(names()) do
    if not later[name:match("^[%w_]+")] then
      local v = weft
      for part in name:gmatch("[^.]+") do v = v and v[part] end
      t.ne(v, nil, name)
    end
  end
end)

t.test("every annotated method is there", function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local stream = assert(weft.net.tcp.connect(l:address()))
  local server = assert(l:accept())
  local scope
  weft.scope(function(s) scope = s end)
  local mutex, rwmutex = weft.mutex(), weft.rwmutex()
  local objects = {
    Fiber = weft.self(), Scope = scope, Op = weft.never(), Channel = weft.channel(), Mutex = mutex,
    Guard = mutex:lock(), RwMutex = rwmutex, Semaphore = weft.semaphore(1), Cond = weft.cond(mutex),
    WaitGroup = weft.waitgroup(), Latch = weft.latch(1), Barrier = weft.barrier(1), Oneshot = weft.oneshot(),
    Broadcast = weft.broadcast(1), BroadcastReader = weft.broadcast(1):subscribe(), Watch = weft.watch(1),
    WatchReader = weft.watch(1):subscribe(), Limiter = weft.limiter { rate = 1 }, Pool = weft.pool {},
    Context = weft.context.background(), Ticker = weft.ticker(1), Listener = l, Stream = stream,
  }
  weft.base_op(nil, function() return false end, function(s, wrap)
    objects.Suspension = s
    s:complete(wrap)
  end):perform()
  local known = { Foreign = true, Buffer = true }
  for class, method in annotations():gmatch("\nfunction (%u%w*):([%w_]+)") do
    local object = objects[class]
    if not known[class] then
      t.truthy(object ~= nil, "no object to look at for " .. class)
      t.eq(type(object[method]), "function", class .. ":" .. method)
    end
  end
  stream:close()
  server:close()
  l:close()
end)
