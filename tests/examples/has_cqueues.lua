-- SPDX-License-Identifier: MIT
-- Whether this Lua has cqueues: its exit code.
os.exit(pcall(require, "cqueues") and 0 or 1)
