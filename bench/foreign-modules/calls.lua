-- SPDX-License-Identifier: MIT
-- calls.lua LANGUAGE SECTION n [classes]: CPU time a call, `one` after the other or `many` (64) at once: of this thread, which
-- runs Lua and the event loop, and of all others, which are the language's (Node: its process).
local here = arg[0]:match("^(.*)/") or "."
local weft = require "weft"

local language, section, n = arg[1], arg[2], tonumber(arg[3])
local request = ("x"):rep(16)

local function load()
  if language == "java" then return weft.foreign.java("EchoClass", { classpath = arg[4], threads = 1 }) end
  if language == "node" then return weft.foreign.node(here .. "/echo_module.js") end
  return weft.foreign.python("echo_module", { path = here, threads = 1 })
end

local function calls(rt, fibers, count)
  local name = language == "asyncio" and "later" or "echo"
  local call = rt[name]
  weft.scope(function(s)
    for _ = 1, fibers do
      s:spawn(function()
        for _ = 1, count / fibers do assert(call(rt, request)) end
      end)
    end
  end)
end

-- Nanoseconds of this thread, and of all others and of child processes.
local function spent()
  local pid = io.open("/proc/self/stat"):read "*n"
  local own, others = 0, 0
  local p = io.popen(([[
    for t in /proc/%d/task/*; do echo "${t##*/} $(cat $t/schedstat)"; done
    for c in $(cat /proc/%d/task/*/children); do [ -d /proc/$c ] && cat /proc/$c/comm && for t in /proc/$c/task/*; do
      echo "0 $(cat $t/schedstat)"; done; done]]):format(pid, pid))
  local is_shell = false
  for line in p:lines() do
    local thread, ns = line:match "^(%d+) (%d+)"
    if not thread then
      is_shell = line == "sh"
    elseif tonumber(thread) == pid then
      own = own + ns
    elseif not is_shell then
      others = others + ns
    end
  end
  p:close()
  return own, others
end

weft.run(function()
  local rt = assert(load())
  local fibers = section == "one" and 1 or 64
  calls(rt, fibers, n / 10)
  local own, others = spent()
  calls(rt, fibers, n)
  local own_after, others_after = spent()
  print(("RESULT %s_here %.4f us"):format(section, (own_after - own) / n / 1000))
  print(("RESULT %s_there %.4f us"):format(section, (others_after - others) / n / 1000))
end)
