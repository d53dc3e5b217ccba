-- SPDX-License-Identifier: MIT
-- weft.foreign: runtimes in other languages. Finds a library, keeps one runtime for each library and
-- configuration, and makes a method of any name that is asked for.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"

local operation = core.method_table "operation"
local parts = core.method_table "parts"
local perform = frames.perform

-- Where runtimes live: on a worker of ours; inside nginx, on its event loop.
local host = { load = core.foreign_load, unload = core.foreign_unload, lives = core.foreign_lives }

local foreign = {}
local load_options = { max_queue = true, is_global = true, unpin = true, timeout = true }

-- ---------------------------------------------------------------- finding a library

local function is_file(path)
  local f = io.open(path, "rb")
  if f then f:close() end
  return f ~= nil
end

-- "demo" is libdemo.so or demo.so.
local function file_names(lib)
  if lib:find("%.so$") or lib:find("%.so%.") then return { lib } end
  return { "lib" .. lib .. ".so", lib .. ".so" }
end

local function directories()
  local list = {}
  for directory in (os.getenv "LD_LIBRARY_PATH" or ""):gmatch "[^:;]+" do list[#list + 1] = directory end
  for template in package.cpath:gmatch "[^;]+" do
    local directory = template:match "^([^?]*)/[^/]*%?"
    if directory then
      list[#list + 1] = directory
      -- weft's own loaders are in lib/weft, beside lib/lua/5.4.
      local lib = directory:match "^(.*)/lua/[%d.]+$"
      if lib then list[#list + 1] = lib .. "/weft" end
    end
  end
  return list
end

-- A path is taken as it is; a name is looked for, and at last left to the system.
local function find(lib)
  if lib:find("/", 1, true) then return is_file(lib) and lib or nil end
  local names = file_names(lib)
  for _, directory in ipairs(directories()) do
    for _, name in ipairs(names) do
      local path = directory .. "/" .. name
      if is_file(path) then return path end
    end
  end
  return nil, names
end

local function not_found(lib)
  return nil, ("library '%s' not found (LD_LIBRARY_PATH, package.cpath)"):format(lib), "ENOENT"
end

local function load_handle(lib, path, names, ...)
  if path then return host.load(path, ...) end
  local handle, message, code, status
  for _, name in ipairs(names or {}) do
    handle, message, code, status = host.load(name, ...)
    if handle or code ~= "ENOEXEC" then return handle, message, code, status end
    if not message:find "No such file" then return nil, message, code end
  end
  return not_found(lib)
end

-- ---------------------------------------------------------------- runtimes

local function call_op(handle, name, timeout, request)
  return core.dynamic {
    kind = "guard",
    f = function()
      local op = core.foreign_op(handle, name, request)
      local asked = operation.on_abort(op, function() core.foreign_abandon(op) end)
      if not timeout then return asked end
      return core.choose(asked, core.wrap(core.sleep_op(timeout), function() return false, "timeout" end))
    end,
  }
end

-- 5.1 and LuaJIT: the frame of a call (frames.lua says why).
local function in_frame(call_now)
  local finish = core.foreign_finish
  return function(self, request)
    local done, ok, why = call_now(self, request)
    if done then return ok, why end
    return finish()
  end
end

function host.method(handle, name, timeout)
  local stem = name:match "^(.+)_op$"
  if stem then
    return function(_, request)
      core.foreign_check(stem, request)
      return call_op(handle, stem, timeout, request)
    end
  end
  stem = name:match "^(.+)_parts$"
  if stem then return function(_, request) return core.foreign_stream(handle, stem, request) end end
  local call = core.foreign_method(handle, name)
  return core.has_continuations and call or in_frame(call)
end

local nginx = rawget(_G, "ngx")
if nginx and nginx.config then host = require "weft.nginx".host end

local runtimes = {}                                   -- by path and configuration
local unpinned = setmetatable({}, { __mode = "v" })   -- those that nobody has to keep

local function new_runtime(handle, shown, key, timeout)
  local call -- of rt(request)
  local metatable = { __name = "weft.foreign", __metatable = "weft" }
  local rt = setmetatable({}, metatable)
  local function unload()
    host.unload(handle)
    if runtimes[key] == rt then runtimes[key] = nil end
    if unpinned[key] == rt then unpinned[key] = nil end
    return true
  end
  rt.unload, rt.__unload = unload, unload
  function metatable.__index(_, name)
    if type(name) ~= "string" then return nil end
    if name:find("\0", 1, true) then core.misuse "the name of a method has a zero byte" end
    local method = host.method(handle, name, timeout)
    rawset(rt, name, method)
    return method
  end
  function metatable.__call(self, request)
    call = call or host.method(handle, "", timeout)
    return call(self, request)
  end
  function metatable.__tostring()
    return ("weft.foreign: %s%s"):format(shown, host.lives(handle) and "" or " (unloaded)")
  end
  return rt
end

local handles = setmetatable({}, { __mode = "k" })
local given = setmetatable({}, { __mode = "k" }) -- max_queue and timeout of each

local function setting(key, value) return value and ("%s = %s"):format(key, value) or "no " .. key end

-- The runtime of the key that is there. What opts ask for besides has to be what it has.
local function cached(key, opts)
  local rt = runtimes[key] or unpinned[key]
  if not rt or not host.lives(handles[rt]) then return end
  for _, option in ipairs { "max_queue", "timeout" } do
    local asked, has = opts[option], given[rt][option]
    if asked ~= nil and asked ~= has then
      core.misuse(("%s is loaded already and has %s, not %s: unload it, or give it another configuration"):format(
        tostring(rt), setting(option, has), setting(option, asked)))
    end
  end
  if not opts.unpin then runtimes[key] = rt end
  return rt
end

local function check_load(lib, cfg, opts)
  if type(lib) ~= "string" then check.refuse(check.argument("load", 1), "string", lib) end
  if cfg ~= nil and type(cfg) ~= "string" then check.refuse(check.argument("load", 2), "string", cfg) end
  if cfg and cfg:find("\0", 1, true) then core.misuse "bad argument #2 to 'load' (it has a zero byte)" end
  opts = opts == nil and {} or check.options("load", 3, opts, load_options)
  for _, key in ipairs { "is_global", "unpin" } do
    local v = opts[key]
    if v ~= nil and type(v) ~= "boolean" then check.refuse(check.option("load", key), "boolean", v) end
  end
  return opts
end

-- shown: what the runtime is in words; nil: its file.
local function load(lib, cfg, opts, shown)
  local max_queue = opts.max_queue and check.integer_option("load", opts, "max_queue", 1) or 65536
  local timeout = opts.timeout and check.duration_option("load", opts, "timeout")
  local path, names = find(lib)
  local key = (path and core.foreign_path(path) or lib) .. (cfg and "\0" .. cfg or "")
  local rt = cached(key, opts)
  if rt then return rt end
  local handle, message, code, status = load_handle(lib, path, names, cfg, max_queue, opts.is_global, timeout)
  if not handle then return nil, message, code, status end
  rt = new_runtime(handle, shown or path or lib, key, timeout)
  handles[rt], given[rt] = handle, { max_queue = max_queue, timeout = timeout }
  local cache = opts.unpin and unpinned or runtimes
  cache[key] = rt
  return rt
end

function foreign.load(lib, cfg, opts) return load(lib, cfg, check_load(lib, cfg, opts)) end

-- ---------------------------------------------------------------- answers in parts

function parts:read() return perform(parts.read_op(self)) end

local function next_part(self)
  local bytes, message = parts.read(self)
  if not bytes and message then error(message, 0) end
  return bytes
end
function parts:iter() return next_part, self end

require "weft.loaders" (foreign, load)

return foreign
