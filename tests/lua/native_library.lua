-- SPDX-License-Identifier: MIT
-- Loads a C library of the tests (tests/embed/*.c) that was built for this Lua; nil where it was not.
local t = require "harness"
local weft = require "weft"

return function(name)
  for root, version in package.cpath:gmatch "([^;]*)/lib/lua/([%d.]+)/%?%.so" do
    local path = ("%s/test-lib/%s/%s.so"):format(root, version, name)
    local open = package.loadlib(path, "luaopen_" .. name)
    if open then
      -- Under `weft run` the worker outlives the cases: what it sleeps on outside the gate is opened before the first.
      if t.under_weft then weft.embed.yield(0.001) end
      return open()
    end
  end
end
