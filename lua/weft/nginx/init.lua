-- SPDX-License-Identifier: MIT
-- Foreign libraries inside an unpatched nginx: a call parks its request's coroutine on an ngx.semaphore, and goes on
-- when the answer has come. weft.foreign (and so require "resty_ffi") comes here when it is loaded inside nginx.
--   abi.lua    the C side
--   bell.lua   how nginx's event loop learns that answers have come: an eventfd in it, or a socket
--   calls.lua  the calls that are out
local ffi = require "ffi"
local check = require "weft.check"
local core = require "weft.core"
local abi = require "weft.nginx.abi"
local bell = require "weft.nginx.bell"
local calls = require "weft.nginx.calls"

local nginx = {}

local bridge, way
local wanted, module_file = "auto", nil
local ways = { auto = true, event = true, socket = true }

-- How answers are brought, to be said before a worker's first load: "event" (an eventfd in nginx's event loop),
-- "socket", or "auto": the former where it can be. file: an ngx_weft_module.so other than the one beside libweft.so.
function nginx.use(name, file)
  if not ways[name] then core.misuse(("bad argument #1 to 'use' (unknown way '%s')"):format(tostring(name))) end
  if file ~= nil and type(file) ~= "string" then check.refuse(check.argument("use", 2), "string", file) end
  if bridge then core.misuse "a library has been loaded already" end
  wanted, module_file = name, file
end

-- "event" or "socket"; nil before the first load.
function nginx.way() return way end

local function close(opened)
  bell.detach()
  abi.weft_nginx_close(opened)
end

local function open()
  if bridge then return true end
  local opened = abi.weft_nginx_open()
  if opened == nil then return nil, "not enough memory", "ENOMEM" end
  opened = ffi.gc(opened, close)
  calls.open(opened)
  local started, why = bell.start(opened, wanted, module_file)
  if not started then return nil, why, "unsupported" end
  bridge, way = opened, started
  return true
end

-- ---------------------------------------------------------------- what weft.foreign is made of here

local host = {}
nginx.host = host

-- A handle; or nil, message, code, what init has returned.
function host.load(file, config, max_queue, is_global, timeout)
  if ngx.get_phase() == "init" then
    core.misuse "a foreign library starts threads, which no worker inherits: load it in init_worker_by_lua, or later"
  end
  local ok, why, code = open()
  if not ok then return nil, why, code end
  local made = ffi.new "weft_nginx_loaded"
  abi.weft_nginx_load(bridge, file, config, max_queue, is_global and 1 or 0, made)
  if made.library == nil then return nil, ffi.string(made.message), ffi.string(made.code), made.status end
  return { library = ffi.gc(made.library, abi.weft_nginx_unload), timeout = timeout, lives = true }
end

function host.unload(handle)
  handle.lives = false
  abi.weft_nginx_unload(handle.library)
end

function host.lives(handle) return handle.lives end

-- As a string, or nil.
local function check_request(name, request)
  if request == nil or type(request) == "string" then return request end
  if type(request) == "number" then return tostring(request) end
  if not core.is_type("buffer", request) then check.refuse(check.argument(name, 1), "string or buffer", request) end
  return request:sub()
end

-- Where a coroutine cannot be parked.
local parks_not = {}
for _, phase in ipairs { "init", "init_worker", "exit_worker", "set", "header_filter", "body_filter", "log", "balancer",
  "ssl_session_store" } do parks_not[phase] = true end

function host.method(handle, name)
  if name:find "_op$" or name:find "_parts$" then
    core.misuse(("inside nginx there are no operations and no parts: '%s'"):format(name))
  end
  local library, timeout = handle.library, handle.timeout
  local lasting = abi.weft_nginx_name(name)
  if lasting == nil then core.misuse "too many names of methods: they stay in memory, a MiB in all" end
  return function(_, request)
    local phase = ngx.get_phase()
    if parks_not[phase] then core.misuse("a foreign call has to wait, which it cannot in the phase " .. phase) end
    if core.self() then
      core.misuse "inside nginx a foreign call cannot be made by a fiber: weft.run and t.Loop block the worker"
    end
    request = check_request(name, request)
    if not calls.told then bell.keep_serving() end
    return calls.perform(library, lasting, request, timeout)
  end
end

return nginx
