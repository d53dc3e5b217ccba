-- SPDX-License-Identifier: MIT
-- ngx.load_ffi and ngx.load_nonblocking_ffi, with the shapes of lua-resty-ffi and of its first generation,
-- lua-resty-nonblocking-ffi, for programs and libraries that were written for them:
--   require "resty_ffi"
--   local demo = ngx.load_ffi("libdemo.so", config, { max_queue = 65536 })
--   local ok, res_or_status, err = demo:any_name(request)
-- Where init fails: nil, what it has returned, why; and a line on stderr, or in nginx's error log.
local weft = require "weft"

local ngx = rawget(_G, "ngx") or {}
rawset(_G, "ngx", ngx)

local local_failures = { ["queue full"] = "post failed, queue full", unloaded = "task queue is finished" }

-- true, answer, nil; or false, status, error.
local function three(ok, res, err)
  if ok then return true, res, nil end
  return false, local_failures[res] or res, err
end

-- true, answer; or false, what the library answered, or why it could not be asked.
local function two(ok, res, err)
  if ok then return true, res end
  if type(res) == "number" then return false, err end
  return false, local_failures[res] or res
end

local function log(message)
  if ngx.log and ngx.ERR then return ngx.log(ngx.ERR, message) end
  io.stderr:write(message, "\n")
end

-- Misuse is raised at the line of whoever has called the function that calls this one.
local function check(name, i, v, types, expected)
  local type_of_v = v == nil and "no value" or type(v)
  if types[type_of_v] then return end
  error(("bad argument #%d to '%s' (%s expected, got %s)"):format(i, name, expected, type_of_v), 3)
end
local text = { string = true }
local text_or_nothing = { string = true, ["no value"] = true }
local requests = { string = true, number = true, userdata = true, ["no value"] = true }

-- foreign.load, which raises at no line of the program's from here.
local function load(...)
  local ok, rt, message, code, status = pcall(weft.foreign.load, ...)
  if not ok then return nil, (tostring(rt):gsub("^[^\n]-:%d+: ", "")) end
  return rt, message, code, status
end

local function loader(name, shape)
  local wrapped = {}
  return function(lib, cfg, opts)
    check(name, 1, lib, text, "string")
    check(name, 2, cfg, text_or_nothing, "string")
    local key = cfg and lib .. "&" .. cfg or lib
    if wrapped[key] then return wrapped[key] end
    local rt, message, code, status = load(lib, cfg, opts)
    if not rt then
      if code ~= "init failed" then error(message, 2) end
      log("resty_ffi: " .. message)
      return nil, status, message
    end
    local object = { key = key, finished = false }
    function object.__unload()
      object.finished = true
      if wrapped[key] == object then wrapped[key] = nil end
      rt:unload()
    end
    setmetatable(object, {
      __index = function(self, method)
        local function call(_, request)
          check(method, 1, request, requests, "string or buffer")
          return shape(rt[method](rt, request))
        end
        rawset(self, method, call)
        return call
      end,
      __call = function(_, request)
        check("?", 1, request, requests, "string or buffer")
        return shape(rt(request))
      end,
    })
    if not (opts and opts.unpin) then wrapped[key] = object end
    return object
  end
end

ngx.load_ffi = loader("load_ffi", three)
ngx.load_nonblocking_ffi = loader("load_nonblocking_ffi", two)

return ngx
