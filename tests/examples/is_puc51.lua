-- SPDX-License-Identifier: MIT
-- Lua 5.1 of PUC-Rio cannot wait in an iterator; run.sh asks which Lua it has.
print(_VERSION == "Lua 5.1" and not rawget(_G, "jit") and "yes" or "no")
