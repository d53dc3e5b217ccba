-- SPDX-License-Identifier: MIT
-- n steps of a generator, by coroutine.wrap and by coroutine.resume, with whatever the coroutine table holds
-- when they run: the stock functions outside weft.run, weft's inside.
local generator = {}

local function numbers(n)
  for i = 1, n do coroutine.yield(i) end
end

function generator.wrap(n)
  local next_number = coroutine.wrap(numbers)
  local sum = next_number(n)
  for _ = 2, n do sum = sum + next_number() end
  assert(sum == n * (n + 1) / 2)
end

function generator.resume(n)
  local resume, co = coroutine.resume, coroutine.create(numbers)
  local _, sum = resume(co, n)
  for _ = 2, n do
    local _, i = resume(co)
    sum = sum + i
  end
  assert(sum == n * (n + 1) / 2)
end

return generator
