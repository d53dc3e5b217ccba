-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  weft.locals.request = "r-17"
  local function log(text) print(weft.locals.request .. ": " .. text) end

  weft.spawn(function()                   -- begins with the values of its spawner
    log "from a child"                    --> r-17: from a child
    weft.locals.request = "r-18"          -- its own from here on
    log "again"                           --> r-18: again
  end):join()
  log "unchanged here"                    --> r-17: unchanged here
end)
