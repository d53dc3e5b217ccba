---@meta weft.nginx
-- SPDX-License-Identifier: MIT
-- weft inside nginx's Lua module. The libraries are weft.foreign's, as elsewhere; this is what is nginx's own.

---@class weft.nginx
local nginx = {}

---How answers reach nginx's event loop: by an eventfd in it, which needs ngx_weft_module.so compiled for this very
---nginx; or by a Unix socket that a timer's coroutine reads, which needs nothing. "auto": the first where it can be,
---with a line in the error log where it cannot. To be called in a worker, before its first load.
---@param way "auto" | "event" | "socket" With "event" a load fails where it cannot be.
---@param file? string An ngx_weft_module.so other than the one beside libweft.so.
function nginx.use(way, file) end

---Which it is.
---@return "event" | "socket" | nil way nil before the first load.
function nginx.way() end

return nginx
