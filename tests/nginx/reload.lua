-- SPDX-License-Identifier: MIT
-- Reloads an nginx with two workers (nginx.conf beside this file) while requests come in, then ends it while
-- some are on their way: none may be lost, and every worker has to end.
--   weft run tests/nginx/reload.lua PORT WAY PID-OF-THE-MASTER
local weft = require "weft"
local port, way, master = tonumber(arg[1]), arg[2], arg[3]

local clients, reloads = 20, 3

local passed, failed = 0, 0
local function check(name, ok, ...)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print(("FAIL nginx reload (%s): %s: %s"):format(way, name, table.concat({ ... }, " ")))
  end
end

local function get(path)
  local stream = assert(weft.net.tcp.connect("127.0.0.1", port))
  assert(stream:write("GET " .. path:gsub(" ", "%%20") .. " HTTP/1.0\r\nHost: test\r\n\r\n"))
  local all = {}
  for bytes in function() return stream:read_some() end do all[#all + 1] = bytes end
  stream:close()
  return (table.concat(all):match "\r\n\r\n(.-)\n?$")
end

local function signal(name) os.execute(("kill -%s %s"):format(name, master)) end
-- Also one that nobody has waited for has ended.
local function lives(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  local text = file and file:read "*l"
  if file then file:close() end
  return text ~= nil and not text:find "%) Z"
end
-- Adds the workers that there are to a set.
local function add_workers(pids)
  local program = assert(io.popen("pgrep -P " .. master))
  for pid in program:lines() do pids[pid] = true end
  program:close()
end
-- Waits until none of the processes is there.
local function all_end(pids)
  for _ = 1, 30000 do
    local some = false
    for pid in pairs(pids) do some = some or lives(pid) end
    if not some then return true end
    weft.sleep(0.02)
  end
  return false
end

weft.run(function()
  assert(get "/pid":find " true$", "the library does not answer")
  local by_worker, answered, lost = {}, 0, {}
  local former = {} -- the workers of the generations before
  local function next_generation_answers()
    for pid in pairs(by_worker) do
      if not former[pid] then return true end
    end
    return false
  end
  local over = false
  weft.scope(function(s)
    for _ = 1, clients do
      s:spawn(function()
        while not over do
          local body = get "/pid"
          local pid = body and body:match "^(%d+) true$"
          if pid then
            by_worker[pid] = (by_worker[pid] or 0) + 1
            answered = answered + 1
          else
            lost[#lost + 1] = tostring(body)
          end
        end
      end)
    end
    local function wait_for_answers()
      local before = answered
      repeat weft.sleep(0.01) until answered > before + 10 * clients and next_generation_answers()
    end
    for _ = 1, reloads do
      wait_for_answers()
      add_workers(former)
      signal "HUP"
    end
    wait_for_answers()
    over = true
  end)
  check("no request is lost", #lost == 0, #lost, "of", answered, lost[1])
  check("old workers end", all_end(former))

  -- The end, with calls out.
  local late, now = 0, {}
  weft.scope(function(s)
    for _ = 1, clients do
      s:spawn(function() if get "/late" == "true slept" then late = late + 1 end end)
    end
    repeat weft.sleep(0.01) until get "/count_late" == tostring(clients)
    add_workers(now)
    signal "QUIT"
  end)
  check("calls that are out are answered before the end", late == clients, late, "of", clients)
  now[master] = true
  check("nginx ends", all_end(now))
end)

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
