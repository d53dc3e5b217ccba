-- SPDX-License-Identifier: MIT
-- Who delivers the answers: an eventfd in nginx's own event loop, which needs ngx_weft_module.so compiled for
-- this very nginx; or the coroutine of a timer that reads a Unix socket, which needs nothing but the Lua module.
local ffi = require "ffi"
local abi = require "weft.nginx.abi"
local calls = require "weft.nginx.calls"
local new_semaphore = require "ngx.semaphore".new

local bell = {}

local bridge, source
local polling = 0.002
local for_long = 1e6 -- seconds

local function exported() return ffi.C.ngx_weft_attach and ffi.C end

-- The library with ngx_weft_attach: what load_module has loaded, else the file; or the one beside libweft.so.
local function event_module(path)
  local there, module = pcall(exported)
  if there then return module end
  path = path or ffi.string(abi.weft_nginx_folder()) .. "/weft/ngx_weft_module.so"
  local file = io.open(path)
  if not file then return nil, path .. " is not there" end
  file:close()
  there, module = pcall(ffi.load, path)
  if there then return module end
  return nil, tostring(module)
end

-- True, or nil and why. Each step is safe in an nginx of any version.
local function attach_event(path)
  if ngx.config.subsystem ~= "http" then return nil, "it serves http alone" end
  local module, why = event_module(path)
  if not module then return nil, why end
  if module.ngx_weft_version() ~= ngx.config.nginx_version then
    return nil, ("it was compiled for nginx %d, and this is %d"):format(tonumber(module.ngx_weft_version()),
      ngx.config.nginx_version)
  end
  local semaphore = new_semaphore(0)
  if type(semaphore and semaphore.sem) ~= "cdata" then return nil, "ngx.semaphore is not as it was" end
  local fd = abi.weft_nginx_eventfd(bridge)
  if fd < 0 then return nil, ffi.string(ffi.C.strerror(-fd)) end
  source = ffi.new "ngx_weft_source"
  source.fd, source.host = fd, bridge
  source.take, source.settle = abi.weft_nginx_take_semaphores, abi.weft_nginx_settle
  source.post = ffi.cast("int (*)(void *, int)", ffi.C.ngx_http_lua_ffi_sema_post)
  why = module.ngx_weft_attach(source)
  if why ~= nil then return nil, ffi.string(why) end
  bell.detach = function() module.ngx_weft_detach(source) end
  calls.told = true
  abi.weft_nginx_settle(bridge) -- from now on it rings
  return true
end

-- The socket's end that nginx reads; nil: there is none, why is in the log.
local function connect()
  local path = ffi.new "char[128]"
  local socket = ngx.socket.tcp()
  socket:settimeout(1000)
  local errno = abi.weft_nginx_listen(bridge, path, 128)
  local ok, why = errno == 0, errno
  if ok then ok, why = socket:connect("unix:" .. ffi.string(path)) end
  if ok then
    why = abi.weft_nginx_accept(bridge)
    ok = why == 0
  end
  if ok then return socket end
  if type(why) == "number" then why = ffi.string(ffi.C.strerror(why)) end
  ngx.log(ngx.ERR, "weft: no socket to be told of answers by, so every ", polling * 1000, " ms is looked: ", why)
end

-- A timer that waits for the worker's exit: nginx then ends it at once.
local function ring_at_exit(premature)
  if not premature then return ngx.timer.at(for_long, ring_at_exit) end
  calls.when_idle = function() abi.weft_nginx_ring(bridge) end
  calls.when_idle()
end

-- A function that returns when all has run that nginx has posted to itself so far. To post a semaphore that one waits
-- for oneself takes somebody else: a light thread, which is returned too.
local function new_yield()
  local asked, done = new_semaphore(0), new_semaphore(0)
  local thread = ngx.thread.spawn(function()
    while true do
      if asked:wait(for_long) then done:post(1) end
    end
  end)
  return function()
    asked:post(1)
    done:wait(for_long)
  end, thread
end

local socket_serves = false -- or is about to

-- The timer's coroutine. It goes on while the worker does, and in one that exits while calls are out; requests of
-- an exiting worker that call later look for themselves (calls.wait).
local function serve()
  local socket = connect()
  local let_go_on, thread = new_yield()
  local told_of_exit = ngx.timer.at(for_long, ring_at_exit)
  if socket then socket:settimeout((told_of_exit and for_long or 1) * 1000) end
  calls.told = true
  calls.deliver_all(let_go_on)
  while calls.busy() > 0 or socket and not ngx.worker.exiting() do
    local ok, why = true, nil
    if socket then ok, why = socket:receiveany(4096) else ngx.sleep(polling) end
    if not ok and why ~= "timeout" then
      ngx.log(ngx.ERR, "weft: the socket to be told of answers by has failed: ", why)
      socket = nil
    end
    calls.deliver_all(let_go_on)
  end
  calls.told, socket_serves = false, false
  ngx.thread.kill(thread)
  if socket then socket:close() end
end

-- Sees to it that the socket is read, unless the eventfd does it or the worker exits.
function bell.keep_serving()
  if source == nil and not socket_serves then socket_serves = ngx.timer.at(0, serve) and true or false end
end

-- Starts "event", with the module at path or the usual one, or "socket"; with "auto" whichever can be. The way, or nil
-- and why.
function bell.start(opened, way, path)
  bridge = opened
  if way ~= "socket" then
    local ok, why = attach_event(path)
    if ok then return "event" end
    source = nil
    if way == "event" then return nil, why end
    ngx.log(ngx.WARN, "weft: answers come by a socket, not by an eventfd in nginx's event loop: ", why)
  end
  bell.keep_serving()
  return "socket"
end

function bell.detach() end

return bell
