-- SPDX-License-Identifier: MIT
-- What mutex and rwmutex ask of the running fiber before they do something for it.
local core = require "weft.core"

local self_fiber, misuse = core.self, core.misuse

local holder = {}

-- The running fiber, for a function that does not wait.
function holder.fiber(what)
  local me = self_fiber()
  if not me then misuse(("'%s' outside a fiber: call it inside weft.run or weft.spawn"):format(what)) end
  return me
end

-- The guard with which the running fiber holds m ("mutex").
function holder.guard(m, name, what)
  local g = m.guard
  if not g then misuse(("%s of a %s that is not locked"):format(what, name)) end
  if g.fiber ~= self_fiber() then misuse(("%s of a %s that this fiber does not hold"):format(what, name)) end
  return g
end

-- A lock that the fiber holds already would be waited for by itself.
function holder.refuse_again(m, name)
  if m.guard and m.guard.fiber == self_fiber() then misuse(("this fiber holds the %s already"):format(name)) end
end

return holder
