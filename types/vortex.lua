-- SPDX-License-Identifier: MIT
---@meta vortex
-- LuaVortex's functions for clients (docs/main-loops.md). Times are microseconds; absent or 0 is for ever.

---@class vortex
local vortex = {}

---Lets others in: returns when a native thread has been in the state, or a handler that one has posted to has run, or
---after the time. In a fiber it waits as any operation does.
---@param usec? number
---@return boolean served
function vortex.yield(usec) end

---A descriptor to watch, the same at every call: readable when a thread asks to run, or a fiber can go on. Neither
---read it nor close it.
---@return integer? descriptor nil: the backend has none (`"EOPNOTSUPP"`)
---@return string? message
---@return string? code
function vortex.event_fd() end

---Whether somebody asks to run; blocks the thread for at most so long until somebody does, and lets nobody in. Not in
---a fiber.
---@param usec? number
---@return boolean
function vortex.wait_events(usec) end

return vortex
