-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local function fetch(name)
    weft.sleep(#name * 0.001)
    return name:upper()
  end

  -- Two at a time; the results in order. The first error would cancel the rest and be raised here.
  local names = { "ann", "barbara", "eve" }
  print(table.concat(weft.map(names, fetch, { limit = 2 }), " ")) --> ANN BARBARA EVE

  -- A pool takes jobs one by one: go waits while it is full.
  local pool = weft.pool { limit = 2 }
  for _, name in ipairs(names) do pool:go(fetch, name) end
  local results, n = pool:wait()
  print(n, results[3])                    --> 3	EVE

  -- With errors = "all" the rest goes on; the later errors stand beside the first.
  local tolerant = weft.pool { errors = "all" }
  for i = 1, 3 do tolerant:go(function() if i > 1 then error("job " .. i, 0) end end) end
  local ok, e = weft.pcall(tolerant.wait, tolerant)
  print(ok, e, #weft.error_info(e).others) --> false	job 2	1
end)
