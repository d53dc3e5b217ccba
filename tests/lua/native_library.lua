-- SPDX-License-Identifier: MIT
-- Loads a C library of the tests (tests/embed/*.c) that was built for this Lua; nil where it was not.
return function(name)
  for root, version in package.cpath:gmatch "([^;]*)/lib/lua/([%d.]+)/%?%.so" do
    local path = ("%s/test-lib/%s/%s.so"):format(root, version, name)
    local open = package.loadlib(path, "luaopen_" .. name)
    if open then return open() end
  end
end
