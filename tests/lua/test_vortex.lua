-- SPDX-License-Identifier: MIT
-- require "vortex", against an engine with threads of its own (examples/vortex/engine.c).

local t = require "harness"
local weft = require "weft"
local vortex = require "vortex"
local engine = require "native_library" "vortex_engine"

if not engine then
  t.test("vortex", function() t.skip "examples/vortex/engine.c was not built" end)
  return
end

-- Outside any fiber, in a state that is attached for the time of the case.
local function attached(name, f)
  t.outside(name, { memory = 8192 }, function()
    weft.embed.attach()
    local ok, e = pcall(f)
    weft.embed.detach()
    if not ok then error(e, 0) end
  end)
end

-- A server and a client, each with threads of its own, in this state; pause: seconds before each reply.
local function pair(on_reply, mode, pause)
  local server, client
  server = engine.new(function(conn, number, content)
    if pause then weft.sleep(pause) end
    server:send_rpy(conn, content:upper(), number)
  end, mode)
  client = engine.new(on_reply, mode)
  local conn = assert(client:connect(assert(server:create_listener())))
  local function close()
    client:close()
    server:close()
  end
  return client, conn, close, server
end

for _, mode in ipairs { "post", "enter" } do
  attached("a client that yields is told (" .. mode .. ")", function()
    local replies = {}
    local client, conn, close = pair(function(_, number, content) replies[number] = content end, mode)
    for i = 1, 20 do
      t.eq(client:send_msg(conn, "frame " .. i), i)
      while not replies[i] do vortex.yield(1000000) end
      t.eq(replies[i], "FRAME " .. i)
    end
    close()
  end)
end

attached("frames of a connection arrive in order, none is lost", function()
  local last, count = 0, t.scale(2000, 200)
  local client, conn, close = pair(function(_, number)
    t.eq(number, last + 1)
    last = number
  end)
  for i = 1, count do
    client:send_msg(conn, "x")
    if i % 50 == 0 then vortex.yield(1) end
  end
  while last < count do vortex.yield() end
  close()
end)

attached("a main loop is woken for what there is, and for nothing else", function()
  if not vortex.event_fd() then t.skip "no descriptor of this backend" end
  local replies, turns, frames = 0, 0, 5
  local client, conn, close = pair(function() replies = replies + 1 end, "post", 0.02)
  for i = 1, frames do client:send_msg(conn, "frame " .. i) end
  while replies < frames do
    t.eq(engine.main_loop({ vortex.event_fd() }, 60000), 1)
    turns = turns + 1
    if vortex.wait_events(1) then vortex.yield(1) end
  end
  -- A message, its handler's sleep and a reply: some turns each.
  t.truthy(turns <= 20 * frames, turns .. " turns")
  close()
end)

attached("event_fd, wait_events and yield, when nobody asks", function()
  local fd = vortex.event_fd()
  if not fd then t.skip "no descriptor of this backend" end
  t.eq(vortex.event_fd(), fd)
  repeat until not weft.embed.step()
  t.falsy(vortex.wait_events(1))
  t.falsy(vortex.wait_events(-1))
  local before = weft.now()
  t.falsy(vortex.yield(10000))
  t.truthy(weft.now() - before >= 0.01)
  t.falsy(vortex.yield(-1))
end)

for _, absent in ipairs { "absent", "0" } do
  attached("without a time they wait until somebody asks (" .. absent .. ")", function()
    if not vortex.event_fd() then t.skip "no descriptor of this backend" end
    local usec, replied = tonumber(absent), nil
    local client, conn, close = pair(function() replied = true end, "post", 0.02)
    client:send_msg(conn, "frame")
    repeat
      t.eq(vortex.wait_events(usec), true)
      vortex.yield(usec)
    until replied
    close()
  end)
end

attached("only threads and handlers count for a yield without a time", function()
  local ticks, replied = 0, false
  local client, conn, close = pair(function() replied = true end, "enter")
  weft.spawn(function()
    for _ = 1, 5 do
      weft.sleep(0.001)
      ticks = ticks + 1
    end
    client:send_msg(conn, "frame")
  end)
  while not replied do t.eq(vortex.yield(), true) end
  t.eq(ticks, 5)
  close()
end)

t.outside("a server that waits for its listeners needs no yield", function()
  local replies, server, last = 0, nil, nil
  local client, conn, close
  client, conn, close, server = pair(function()
    replies = replies + 1
    if replies == 50 then server:unlock_listeners() end
  end, "enter")
  for _ = 1, 50 do last = client:send_msg(conn, "frame") end
  server:wait_listeners()
  t.eq(replies, last)
  close()
end)

t.test("a server in a fiber: its handlers may wait, and the other fibers get on", function()
  local replies, ticks = 0, 0
  local client, conn, close, server
  client, conn, close, server = pair(function()
    weft.sleep(0.001)
    replies = replies + 1
    if replies == 50 then server:unlock_listeners() end
  end)
  local ticking = weft.daemon(function()
    while true do
      ticks = ticks + 1
      weft.yield()
    end
  end)
  for _ = 1, 50 do client:send_msg(conn, "frame") end
  server:wait_listeners()
  ticking:cancel()
  t.eq(replies, 50)
  t.truthy(ticks > 1)
  close()
end)

t.test("yield in a fiber", function()
  local replied = false
  local client, conn, close = pair(function() replied = true end)
  client:send_msg(conn, "frame")
  while not replied do vortex.yield(1000000) end
  t.falsy(vortex.yield(1))
  close()
end)

attached("an engine that ends while there is something to deliver", function()
  for _, mode in ipairs { "post", "enter" } do
    local ctx = engine.new(function() end, mode)
    local conn = ctx:connect(ctx:create_listener())
    for _ = 1, 20 do ctx:send_msg(conn, "frame") end
    ctx:close()
    t.raises("closed", ctx.send_msg, ctx, conn, "frame")
  end
end)

t.test("times are numbers", function()
  for _, f in ipairs { "yield", "wait_events" } do
    t.misuse("bad argument #1 to '" .. f .. "' %(number expected, got string%)", function() vortex[f] "soon" end)
    t.misuse("bad argument #1 to '" .. f .. "'", function() vortex[f](0 / 0) end)
  end
end)

t.test("types/vortex.lua names what there is", function()
  local annotated = {}
  local here = t.file:match("^(.*/)") or "./"
  for name in t.slurp(here .. "../../types/vortex.lua"):gmatch "\nfunction vortex%.([%w_]+)" do
    t.eq(type(vortex[name]), "function", name)
    annotated[name] = true
  end
  for name in pairs(vortex) do t.truthy(annotated[name], name) end
end)
