-- SPDX-License-Identifier: MIT
-- The fibers of a state that a C++ program has opened (weft::lua_state): each runs one request in a scope of
-- its own, and hands what it returns or raises to C++.
local core = require "weft.core"
local weft = require "weft"
local coroutines = require "weft.coroutines"

local unpack = table.unpack or unpack -- luacheck: ignore
local load = loadstring or load -- luacheck: ignore
-- Whatever a script does to its globals, each request has to be finished: C++ waits for it.
local gmatch, loadfile, pcall, select, tostring, type = string.gmatch, loadfile, pcall, select, tostring, type
local host = {}

local function text_of(e)
  local ok, text = pcall(tostring, e)
  return ok and type(text) == "string" and text or "an error value that has no text"
end

local function finish(request, ok, ...)
  if ok then return core.host_returned(request, ...) end
  local e = ...
  local info = weft.error_info(e)
  core.host_raised(request, weft.is_cancelled(e), text_of(e), info and info.traceback or "", e)
end

local function run(request, f, ...)
  local arguments, n = { ... }, select("#", ...)
  return finish(request, weft.pcall(weft.scope, function() return f(unpack(arguments, 1, n)) end))
end

local function run_chunk(request, f, message)
  if not f then return finish(request, false, message) end
  return run(request, f)
end

function host.code(request, code, name) return run_chunk(request, load(code, name)) end
function host.file(request, path) return run_chunk(request, loadfile(path)) end

-- It may raise: a table of a script's may have an __index.
local function find(name)
  local f = _G
  for part in gmatch(name, "[^.]+") do
    if type(f) ~= "table" then return nil end
    f = f[part]
  end
  return f
end

host["function"] = function(request, name, ...)
  local ok, f = pcall(find, name)
  if not ok then return finish(request, false, f) end
  if f == nil then return finish(request, false, "no function is called '" .. name .. "'") end
  return run(request, f, ...)
end

host.attached, host.detached = coroutines.replace, coroutines.restore

return host
