-- SPDX-License-Identifier: MIT
-- A real library with a thread of its own: libmosquitto (tests/embed/mosquitto.c) and a broker on this machine.

local t = require "harness"
local weft = require "weft"
local mosquitto = require "native_library" "weft_mosquitto"

local function command(line)
  local pipe = assert(io.popen(line))
  local out = pipe:read "*a"
  pipe:close()
  return (out:gsub("%s+$", ""))
end

local broker = command "PATH=$PATH:/usr/sbin command -v mosquitto"

if not mosquitto or broker == "" then
  t.test("mosquitto", function() t.skip(mosquitto and "no mosquitto" or "libmosquitto was not there to build with") end)
  return
end

local function free_port()
  local listener = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local _, port = listener:address()
  listener:close()
  return port
end

local function listens(port)
  local stream = weft.net.tcp.connect("127.0.0.1", port)
  if stream then stream:close() end
  return stream ~= nil
end

-- The process and the port of a broker that listens. One ends at once whose port another has taken meanwhile.
local function start_broker()
  for _ = 1, 10 do
    local port = free_port()
    local pid = command(("%s -p %d >/dev/null 2>&1 & echo $!"):format(broker, port))
    local ended
    t.eventually(function()
      ended = t.has_ended(pid)
      return ended or listens(port)
    end)
    if not ended then return pid, port end
  end
  t.fail "no broker stays"
end

-- Calls f with the port of a broker, which ends with it.
local function with_broker(f)
  local pid, port = start_broker()
  local ok, e = t.pcall(f, port)
  os.execute("kill " .. pid)
  if not ok then error(e, 0) end
end

t.test("messages arrive from the library's thread, while fibers run", { memory = 512 }, function()
  with_broker(function(port)
    local received, count = weft.channel(4), 100
    local client = mosquitto.new(function(topic, payload) received:put { topic, payload } end)
    local connected = client:connect(port)
    t.eq(connected:perform(), 0)
    local subscribed = client:subscribe "weft/#"
    t.eq(weft.timeout(subscribed, 3600):perform(), 1)
    local ticks = 0
    local ticking = weft.daemon(function()
      while true do
        ticks = ticks + 1
        weft.sleep(0.001)
      end
    end)
    for i = 1, count do t.eq(client:publish("weft/numbers", "number\0" .. i), 0) end
    for i = 1, count do t.same(received:get(), { "weft/numbers", "number\0" .. i }) end
    ticking:cancel()
    t.truthy(ticks > 0)
    client:close()
    t.raises("closed", client.publish, client, "weft/numbers", "late")
  end)
end)

t.test("two clients, one that leaves without a word", { memory = 512 }, function()
  with_broker(function(port)
    local got = weft.oneshot()
    local reader = mosquitto.new(function(_, payload) got:set(payload) end)
    local writer = mosquitto.new(function() end)
    t.eq(reader:connect(port):perform(), 0)
    t.eq(writer:connect(port):perform(), 0)
    t.eq(reader:subscribe "hello":perform(), 1)
    t.eq(writer:publish("hello", "from another"), 0)
    t.eq(got:get(), "from another")
    reader:close()
    writer, reader = nil, nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
  end)
end)

t.test("an operation of the library's, given up", function()
  local silent = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local client = mosquitto.new(function() end)
  local _, port = silent:address()
  local _, _, code = weft.timeout(client:connect(port), 0.02):perform()
  t.eq(code, "timeout")
  client:close()
  silent:close()
end)
