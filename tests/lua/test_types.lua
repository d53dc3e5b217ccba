-- SPDX-License-Identifier: MIT
-- types/weft.lua names what there is, and nothing else.

local t = require "harness"
local weft = require "weft"

-- Announced for later.
local later = { embed = true }

local function source(path)
  local here = t.file:match("^(.*/)") or "./"
  return t.slurp(here .. "../../" .. path)
end
local function annotations() return source "types/weft.lua" end

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
    if not later[name] and not later[name:match("^[%w_]+")] then
      local v = weft
      for part in name:gmatch("[^.]+") do v = v and v[part] end
      t.ne(v, nil, name)
    end
  end
end)

-- One object of each class, or what was one.
local function with_objects(f)
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local stream = assert(weft.net.tcp.connect(l:address()))
  local server = assert(l:accept())
  local scope
  weft.scope(function(s) scope = s end)
  local mutex, rwmutex = weft.mutex(), weft.rwmutex()
  local objects = {
    Fiber = weft.self(), Scope = scope, Op = weft.never(), Channel = weft.channel(),
    SharedChannel = weft.shared_channel(), Mutex = mutex,
    Guard = mutex:lock(), RwMutex = rwmutex, Semaphore = weft.semaphore(1), Cond = weft.cond(mutex),
    WaitGroup = weft.waitgroup(), Latch = weft.latch(1), Barrier = weft.barrier(1), Oneshot = weft.oneshot(),
    Broadcast = weft.broadcast(1), BroadcastReader = weft.broadcast(1):subscribe(), Watch = weft.watch(1),
    WatchReader = weft.watch(1):subscribe(), Limiter = weft.limiter { rate = 1 }, Pool = weft.pool {},
    Context = weft.context.background(), Ticker = weft.ticker(1), Listener = l, Stream = stream, Buffer = weft.buffer(),
    Socket = assert(weft.net.socket()), Pollable = assert(weft.pollable(l)),
  }
  weft.base_op(nil, function() return false end, function(s, wrap)
    objects.Suspension = s
    s:complete(wrap)
  end):perform()
  f(objects)
  objects.Socket:close()
  stream:close()
  server:close()
  l:close()
end

t.test("every annotated method is there", function()
  with_objects(function(objects)
    local known = { Foreign = true, Parts = true } -- see test_foreign.lua
    for class, method in annotations():gmatch("\nfunction (%u%w*):([%w_]+)") do
      local object = objects[class]
      if not known[class] then
        t.truthy(object ~= nil, "no object to look at for " .. class)
        t.eq(type(object[method]), "function", class .. ":" .. method)
      end
    end
  end)
end)

local function methods_of(object)
  local index = debug.getmetatable(object).__index
  if type(index) == "table" then return index end
  for i = 1, math.huge do
    local name, value = debug.getupvalue(index, i)
    if not name then error "no table of methods" end
    if name == "methods" then return value end
  end
end

t.test("every method is annotated", function()
  local annotated, missing, seen = {}, {}, 0
  for name in annotations():gmatch("\nfunction (%u%w*:[%w_]+)") do annotated[name] = true end
  with_objects(function(objects)
    for class, object in pairs(objects) do
      for method in pairs(methods_of(object)) do
        seen = seen + 1
        local name = class .. ":" .. method
        if method:sub(1, 1) ~= "_" and not annotated[name] then missing[#missing + 1] = name end
      end
    end
  end)
  table.sort(missing)
  t.eq(table.concat(missing, " "), "")
  t.truthy(seen > 100, seen .. " methods")
end)

-- The fields of an annotated class.
local function fields(class)
  local list = {}
  local text = annotations():match("%-%-%-@class " .. class:gsub("%.", "%%.") .. "\n(.-)\n\n")
  for name in text:gmatch("%-%-%-@field ([%w_]+)") do list[#list + 1] = name end
  table.sort(list)
  return list
end

t.test("every annotated option is known", function()
  local function nothing() end
  local takes = {
    RunOptions = function(o) weft.run(o, nothing) end, ScopeOptions = function(o) weft.scope(o, nothing) end,
    LimiterOptions = weft.limiter, PoolOptions = weft.pool, SuperviseOptions = weft.supervise,
    TestOptions = function(o) weft.test(o, nothing) end,
    ListenOptions = function(o) weft.net.tcp.listen("127.0.0.1", 0, o) end,
    ForeignOptions = function(o) weft.foreign.load("nonesuch", nil, o) end,
    SocketOptions = weft.net.socket,
    PythonOptions = function(o) weft.foreign.python("nonesuch", o) end,
    JavaOptions = function(o) weft.foreign.java("nonesuch", o) end,
    NodeOptions = function(o) weft.foreign.node("nonesuch", o) end,
    ConnectOptions = function(o) weft.net.tcp.connect_op("127.0.0.1", 1, o) end,
  }
  for class in annotations():gmatch("@class weft%.(%w+Options)\n") do
    local take = takes[class]
    t.truthy(take, "nothing that takes " .. class)
    for _, name in ipairs(fields("weft." .. class)) do
      -- No option is a coroutine: either that is refused, or the name.
      local _, e = weft.pcall(take, { [name] = coroutine.create(nothing) })
      t.falsy(tostring(e):find "unknown option", class .. "." .. name .. ": " .. tostring(e))
    end
    local _, e = weft.pcall(take, { no_such_option = 1 })
    t.match(tostring(e), "unknown option")
  end
end)

t.test("what inspect gives is annotated", function()
  local function keys(of)
    local list = {}
    for name in pairs(of) do list[#list + 1] = name end
    table.sort(list)
    return table.concat(list, " ")
  end
  weft.self():name "the tester"
  local parked = weft.spawn(function() weft.sleep(3600) end)
  parked:name "parked"
  weft.yield()
  for _, info in ipairs(weft.inspect.fibers()) do
    if info.name == "parked" then t.eq(keys(info), table.concat(fields "weft.FiberInfo", " ")) end
  end
  t.eq(keys(weft.inspect.counters()), table.concat(fields "weft.Counters", " "))
  parked:cancel()
end)

-- ---------------------------------------------------------------- error codes

local function sorted(list)
  table.sort(list)
  return table.concat(list, "\n")
end

-- "code: message" of each that the core has.
local function codes_of_the_core()
  local list = {}
  for code, message in source("src/core/errors.cpp"):gmatch('{"(E[A-Z_]+)", "([^"]+)"}}') do
    list[#list + 1] = code .. ": " .. message
  end
  return list
end

t.test("docs/errors.md lists the codes of the core, with their messages", function()
  local listed = {}
  for code, message in source("docs/errors.md"):gmatch('\n| `"(E[A-Z_]+)"` | ([^|]+) |') do
    listed[#listed + 1] = code .. ": " .. message
  end
  t.truthy(#listed > 20)
  t.eq(sorted(listed), sorted(codes_of_the_core()))
end)

t.test("weft.Code is the codes of the core, closed and timeout", function()
  local annotated, codes = {}, { "closed", "timeout" }
  for code in annotations():gmatch('\n%-%-%-| "([%w_]+)"') do annotated[#annotated + 1] = code end
  for _, line in ipairs(codes_of_the_core()) do codes[#codes + 1] = line:match "^[A-Z_]+" end
  t.eq(sorted(annotated), sorted(codes))
end)
