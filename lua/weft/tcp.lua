-- SPDX-License-Identifier: MIT
-- weft.net.tcp: listen, connect and connect_op, and the frames of what may wait (frames.lua says why).
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"

local unpack = table.unpack or unpack -- luacheck: ignore

local stream, listener, operation =
  core.method_table "stream", core.method_table "listener", core.method_table "operation"

if not core.has_continuations then
  local read_now, read_on = stream.read_some, stream._read_on
  function stream:read_some(max)
    local done, bytes, message, code = read_now(self, max)
    while not done do done, bytes, message, code = read_on(self, max) end
    if bytes or not code then return bytes end
    return nil, message, code
  end

  local write_now, write_on = stream.write, stream._write_on
  local function write(self, s)
    local done, ok, message, code = write_now(self, s)
    while not done do done, ok, message, code = write_on(self, s) end
    if ok then return true end
    return nil, message, code
  end

  -- A slice does not change while the write waits; to let go of it spares the buffer a copy later.
  local buffer = core.method_table "buffer"
  local function let_go(slice, ...)
    buffer.clear(slice)
    return ...
  end
  function stream:write(s)
    if type(s) ~= "userdata" or not core.is_type("buffer", s) then return write(self, s) end
    local slice = buffer.slice(s)
    return let_go(slice, write(self, slice))
  end

  local accept_now, accept_on = listener.accept, listener._accept_on
  function listener:accept()
    local done, accepted, message, code = accept_now(self)
    while not done do done, accepted, message, code = accept_on(self) end
    if accepted then return accepted end
    return nil, message, code
  end
end
stream._read_on, stream._write_on, listener._accept_on = nil, nil, nil

local connect_options = { nodelay = true }
local listen_options = { backlog = true, reuse_port = true, v6only = true }

local function check_target(name, host, port)
  if type(host) ~= "string" then check.refuse(check.argument(name, 1), "string", host) end
  local n = check.integer(name, 2, port, 0)
  if n > 65535 then
    core.misuse(("bad %s (at most 65535 expected, got %d)"):format(check.argument(name, 2), n))
  end
  return n
end

local function boolean_option(name, opts, key)
  local v = opts[key]
  if v ~= nil and type(v) ~= "boolean" then check.refuse(check.option(name, key), "boolean", v) end
  return v
end

local function abandon_on_loss(op)
  return operation.on_abort(op, function() core.net_abandon(op) end)
end

-- Each perform opens for itself, and one that loses or is cancelled closes what it has opened.
local function opening_op(...)
  local n, arguments = select("#", ...), { ... }
  return core.dynamic {
    kind = "guard",
    f = function() return abandon_on_loss(core.net_opening(unpack(arguments, 1, n))) end,
  }
end

local tcp = {}

local function connecting(name, host, port, opts)
  port = check_target(name, host, port)
  opts = opts == nil and {} or check.options(name, 3, opts, connect_options)
  return opening_op(false, host, port, boolean_option(name, opts, "nodelay"))
end

function tcp.connect_op(host, port, opts) return connecting("connect_op", host, port, opts) end

function tcp.connect(host, port, opts)
  local op = connecting("connect", host, port, opts)
  core.net_may_wait "connect"
  return frames.perform(op)
end

-- Every address: those of IPv6, which take IPv4 as well, or where there is no IPv6 those of IPv4.
local function listen_on_all(port, ...)
  local all, message, code = core.net_listen("::", port, ...)
  if all or code ~= "EAFNOSUPPORT" and code ~= "EADDRNOTAVAIL" then return all, message, code end
  return core.net_listen("0.0.0.0", port, ...)
end

function tcp.listen(host, port, opts)
  port = check_target("listen", host, port)
  opts = opts == nil and {} or check.options("listen", 3, opts, listen_options)
  local backlog = opts.backlog and check.integer_option("listen", opts, "backlog", 1)
  local reuse_port = boolean_option("listen", opts, "reuse_port")
  local v6only = boolean_option("listen", opts, "v6only")
  if host == "*" then return listen_on_all(port, backlog, reuse_port, v6only) end
  local made, message, code = core.net_listen(host, port, backlog, reuse_port, v6only)
  if made then return made end
  if made == nil then return nil, message, code end
  core.net_may_wait "listen"
  return frames.perform(opening_op(true, host, port, backlog, reuse_port, v6only))
end

return tcp
