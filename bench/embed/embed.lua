-- SPDX-License-Identifier: MIT
-- embed.lua LIBRARY post|idle|watched|enter n: native threads that reach Lua.
local weft = require "weft"
local native = assert(package.loadlib(arg[1], "luaopen_weft_bench_embed"))()
local what, n = arg[2], tonumber(arg[3])

local function result(name, value, unit) print(("RESULT %s %.17g %s"):format(name, value, unit)) end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local measured = {}

-- n notifications by each of 4 threads.
function measured.post()
  local got, total = 0, 4 * n
  local done = weft.oneshot()
  local start = native.clock()
  native.post(function()
    got = got + 1
    if got == total then done:set(true) end
  end, 4, n)
  done:get()
  result("post", (native.clock() - start) / total, "ns")
  result("post_cpu", os.clock() * 1e9 / total, "ns")
  native.join()
end

-- n posts, one at a time; done is called with the last.
local function post_idle(watched, done)
  local took = {}
  native.post_idle(function(when)
    took[#took + 1] = native.clock() - when
    if #took == n then done() end
  end, n, watched)
  return took
end

local function idle_result(name, took)
  native.join()
  result(name, median(took) / 1000, "us")
  result(name .. "_bare", native.bare() / 1000, "us")
end

-- A post into a state that sleeps, until the handler runs.
function measured.idle()
  local all = weft.oneshot()
  local took = post_idle(false, function() all:set(true) end)
  all:get()
  idle_result("idle", took)
end

-- The same where a main loop watches its descriptor.
function measured.watched()
  weft.embed.attach()
  local fd, over = weft.embed.event_fd(), false
  local took = post_idle(true, function() over = true end)
  repeat
    native.poll(fd)
    weft.embed.step()
  until over
  idle_result("idle_watched", took)
  weft.embed.detach()
end

-- Threads that enter and leave as often as they can: a turn of one of them.
function measured.enter()
  for _, threads in ipairs { 1, 2, 8 } do
    local start = native.clock()
    native.enter(threads, n)
    local longer = native.join()
    result("enter_" .. threads, (native.clock() - start) / (threads * n), "ns")
    if threads == 8 then result("longer_than_8", longer, "share") end
  end
end

if what == "watched" then measured.watched() else weft.run(measured[what]) end
