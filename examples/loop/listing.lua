-- SPDX-License-Identifier: MIT
-- The document's listing: tasks and handles, in the order in which they are due, and of their descriptors.

local Loop = require "t.Loop"
local Socket = require "t.Net.Socket"

local function f() end

local l = Loop()
for _, ms in ipairs { 1000, 2000, 3000, 4000 } do l:addTask(ms, f, ms) end
l:addTask(3500, f, 3500, "foo", "bar")

local first, second = assert(Socket "udp"), assert(Socket "udp")
l:addHandle(first, "r", f, "a string", "a", "b", "c")
l:addHandle(second, "w", f, second, "Message to be sent")
l:addHandle(second, "r", f, second)

-- The address and the descriptors are different each time.
local text = l:show():gsub("0x%x+", "0x..."):gsub("\n +%d+  %[", "\n  N  [")
print(text)
--> T.Loop[1000]: 0x... TIMER LIST:
-->   1  { 1000ms}  function 1000
-->   2  { 2000ms}  function 2000
-->   3  { 3000ms}  function 3000
-->   4  { 3500ms}  function 3500 `foo` `bar`
-->   5  { 4000ms}  function 4000
--> T.Loop{3} 0x... HANDLE LIST:
-->   N  [R]  function `a string` `a` `b` `c`
-->   N  [W]  function T.Net.Socket `Message to be sent`
-->   N  [R]  function T.Net.Socket

l:clean()
first:close()
second:close()
