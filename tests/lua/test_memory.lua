-- SPDX-License-Identifier: MIT
-- Ten million of each leave memory flat.

local t = require "harness"
local weft = require "weft"

-- rounds(n), once warmed up, leave nothing.
local function flat(rounds, n, resident)
  rounds(math.max(5000, math.floor(n / 5)))
  t.flat(function() rounds(n) end, 256, resident)
end

t.test("lost arms: channels and far timers", { slow = true }, function()
  local quiet, busy = weft.channel(), weft.channel(1)
  local choice = weft.choose(quiet:get_op(), busy:get_op(), weft.sleep_op(3600))
  flat(function(count)
    for _ = 1, count do
      busy:put(1)
      choice:perform()
    end
  end, t.scale(10000000, 20000), 4096)
end)

t.test("lost arms that had parked", { slow = true }, function()
  local quiet, busy = weft.channel(), weft.channel()
  flat(function(count)
    weft.scope(function(s)
      s:spawn(function() for i = 1, count do busy:put(i) end end)
      local choice = weft.choose(quiet:get_op(), busy:get_op(), weft.sleep_op(3600))
      for _ = 1, count do choice:perform() end
    end)
  end, t.scale(2000000, 5000), 4096)
end)

t.test("lost arms built anew each time", { slow = true }, function()
  local quiet, busy = weft.channel(), weft.channel(1)
  flat(function(count)
    for _ = 1, count do
      busy:put(1)
      weft.choose(quiet:get_op(), busy:get_op():wrap(tostring), weft.sleep_op(3600)):perform()
    end
  end, t.scale(1000000, 5000), 16384)
end)

t.test("fibers spawned and joined", { slow = true }, function()
  flat(function(count)
    for i = 1, count do weft.spawn(function() return i end):join() end
  end, t.scale(1000000, 5000), 8192)
end)

t.test("fibers that fail", { slow = true }, function()
  flat(function(count)
    for _ = 1, count do
      t.pcall(weft.scope, function(s) s:spawn(function() error({}) end) end)
    end
  end, t.scale(50000, 500), 8192)
end)

t.test("fibers that are cancelled", { slow = true }, function()
  flat(function(count)
    for _ = 1, count do
      local f = weft.spawn(function() weft.sleep(3600) end)
      weft.yield()
      f:cancel()
      t.pcall(f.join, f)
    end
  end, t.scale(100000, 500), 8192)
end)

t.test("scopes", { slow = true }, function()
  flat(function(count)
    for _ = 1, count do weft.scope(function() end) end
  end, t.scale(1000000, 5000), 4096)
end)

t.test("connections", { slow = true }, function()
  local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
  local host, port = l:address()
  flat(function(count)
    for _ = 1, count / 100 do
      local c = assert(weft.net.tcp.connect(host, port))
      local s = assert(l:accept())
      assert(c:write("x"))
      s:read_some()
      c:close()
      s:close()
    end
  end, t.scale(300000, 2000), 8192)
  l:close()
end)
