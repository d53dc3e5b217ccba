-- SPDX-License-Identifier: MIT
-- Prints the version of this Lua: where its libraries are.
print((_VERSION:match "%d+%.%d+"))
