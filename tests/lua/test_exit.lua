-- SPDX-License-Identifier: MIT
-- Programs that end: os.exit in a fiber, exit codes, signals.

local t = require "harness"

t.test("os.exit in a fiber ends cleanly, with its code", function()
  local r = t.program([[
    local weft = require "weft"
    weft.run(function()
      local ch = weft.channel(1)
      weft.spawn(function() weft.sleep(3600) end)
      weft.spawn(function() weft.channel():get() end)
      local l = weft.net.tcp.listen("127.0.0.1", 0)
      weft.spawn(function() l:accept() end)
      weft.yield()
      io.write("before")
      os.exit(3)
    end)
  ]])
  t.eq(r.out, "before")
  t.eq(r.err, "")
  t.eq(r.code, 3)
end)

t.test("os.exit that closes the state", function()
  local r = t.program([[
    local weft = require "weft"
    weft.run(function()
      local ch = weft.channel(1)
      ch:put({})
      local l = weft.net.tcp.listen("127.0.0.1", 0)
      weft.spawn(function() l:accept() end)
      weft.spawn(function() weft.sleep(3600) end)
      weft.spawn(function() weft.choose(ch:put_op(1), weft.sleep_op(3600)):perform() end)
      weft.yield()
      os.exit(4, true)
    end)
  ]])
  t.eq(r.err, "")
  t.eq(r.code, 4)
end)

t.test("os.exit inside a scope, a wrap, a generator, a pcall", function()
  local r = t.program([[
    local weft = require "weft"
    weft.run(function()
      weft.scope(function(s)
        s:spawn(function()
          weft.sleep_op(0):wrap(function()
            coroutine.wrap(function()
              weft.pcall(function() os.exit(5, true) end)
            end)()
          end):perform()
        end)
        weft.sleep(3600)
      end)
    end)
  ]])
  t.eq(r.err, "")
  t.eq(r.code, 5)
end)

t.test("the exit code of a failed program is 1", function()
  local r = t.program([[require("weft").run(function() error("failed") end)]])
  t.eq(r.code, 1)
  t.contains(r.err, "failed")
end)

t.test("the exit code of a good program is 0", function()
  local r = t.program([[require("weft").run(function() require("weft").sleep(0.001) end)]])
  t.eq(r.code, 0)
  t.eq(r.err, "")
end)

t.test("weft is loaded and never run", function()
  local r = t.program([[
    local weft = require "weft"
    local ch = weft.channel(2)
    keep = { ch, ch:get_op(), weft.choose(ch:get_op(), weft.sleep_op(1)) }
    print(weft.now() > 0)
  ]])
  t.eq(r.out, "true\n")
  t.eq(r.err, "")
  t.eq(r.code, 0)
end)

t.test("a program that ends with channels, operations and handles alive", function()
  local r = t.program([[
    local weft = require "weft"
    weft.run(function()
      all = {}
      for i = 1, 100 do
        local ch = weft.channel(i % 3)
        all[#all + 1] = ch
        all[#all + 1] = weft.choose(ch:get_op(), ch:put_op(all), weft.sleep_op(1)):wrap(print)
        all[#all + 1] = weft.spawn(function() return all end)
      end
    end)
    weft.run({ drain = false }, function()
      for i = 1, 100 do weft.spawn(function() all[1]:get() end) end
      weft.yield()
    end)
  ]])
  t.eq(r.err, "")
  t.eq(r.code, 0)
end)

-- Interrupts a program that waits in `body`, after it has printed "ready".
local function interrupt(body, signals)
  local path = os.tmpname()
  t.spit(path, [[
    local weft = require "weft"
    weft.run(function()
      io.stdout:setvbuf("no")
      ]] .. body .. [[
    end)
  ]])
  local out = os.tmpname()
  local r = t.shell(string.format([[
    %s %s > %s & pid=$!
    while kill -0 $pid && ! grep -q ready %s; do sleep 0.05; done
    %s
    wait $pid]], t.interpreter(), path, out, out, signals))
  r.out = t.slurp(out)
  os.remove(path)
  os.remove(out)
  return r
end

t.test("SIGTERM ends a waiting program", function()
  local r = interrupt([[ print("ready") weft.sleep(3600) ]], "kill -TERM $pid")
  t.eq(r.code, 128 + 15)
end)
