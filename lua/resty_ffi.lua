-- SPDX-License-Identifier: MIT
-- ngx.load_ffi and ngx.load_nonblocking_ffi, with the shapes of lua-resty-ffi and of its first generation,
-- lua-resty-nonblocking-ffi, for programs and libraries that were written for them:
--   require "resty_ffi"
--   local demo = ngx.load_ffi("libdemo.so", config, { max_queue = 65536 })
--   local ok, res_or_status, err = demo:any_name(request)
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

local function loader(shape)
  local wrapped = {}
  return function(lib, cfg, opts)
    local key = cfg and lib .. "&" .. cfg or lib
    if wrapped[key] then return wrapped[key] end
    local rt, message, code, status = weft.foreign.load(lib, cfg, opts)
    if not rt then
      if code == "init failed" then return nil, status end
      error(message, 2)
    end
    local object = { key = key, finished = false }
    function object.__unload()
      object.finished = true
      if wrapped[key] == object then wrapped[key] = nil end
      rt:unload()
    end
    local function call(method) return function(_, request) return shape(rt[method](rt, request)) end end
    setmetatable(object, {
      __index = function(self, name)
        local method = call(name)
        rawset(self, name, method)
        return method
      end,
      __call = function(_, request) return shape(rt(request)) end,
    })
    if not (opts and opts.unpin) then wrapped[key] = object end
    return object
  end
end

ngx.load_ffi = loader(three)
ngx.load_nonblocking_ffi = loader(two)

return ngx
