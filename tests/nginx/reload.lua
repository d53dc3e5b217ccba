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
local function alive(pid) return os.execute(("kill -0 %s 2>/dev/null"):format(pid)) end
local function lives(pid)
  local ok = alive(pid)
  return ok == true or ok == 0
end
-- Waits until none of the processes is there.
local function all_end(pids)
  for _ = 1, 1000 do
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
    for _ = 1, reloads do
      local before = answered
      repeat weft.sleep(0.01) until answered > before + 10 * clients
      signal "HUP"
    end
    weft.sleep(0.3)
    local before = answered
    repeat weft.sleep(0.01) until answered > before + 10 * clients
    over = true
  end)
  check("no request is lost", #lost == 0, #lost, "of", answered, lost[1])
  local workers = 0
  for _ in pairs(by_worker) do workers = workers + 1 end
  check("each generation has answered", workers >= reloads + 2, workers, "workers")

  local fresh, now = {}, {}
  for _ = 1, 40 do now[get "/pid":match "^%d+"] = true end
  for pid in pairs(by_worker) do fresh[pid] = not now[pid] or nil end
  check("old workers end", all_end(fresh))

  -- The end, with calls out.
  local late = 0
  weft.scope(function(s)
    for _ = 1, clients do
      s:spawn(function() if get "/ask?sleep 500" == "true slept" then late = late + 1 end end)
    end
    weft.sleep(0.2)
    signal "QUIT"
  end)
  check("calls that are out are answered before the end", late == clients, late, "of", clients)
  now[master] = true
  check("nginx ends", all_end(now))
end)

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
