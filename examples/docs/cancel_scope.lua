-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  -- The first answer ends the search; s:cancel() is not an error.
  local found
  weft.scope(function(s)
    for i, place in ipairs { "attic", "cellar", "garden" } do
      s:spawn(function()
        weft.sleep(0.05 * i)
        found = found or place
        s:cancel()
      end)
    end
  end)
  print(found)                            --> attic
end)
