-- SPDX-License-Identifier: MIT
--
-- The prime sieve of channels: weft run examples/sieve.lua [how many]
--
-- A generator puts 2, 3, 4 ... into a channel. Each prime that comes out of the last channel
-- gets a filter of its own, which passes on what that prime does not divide.

local weft = require "weft"

local how_many = tonumber(arg and arg[1] or 25)

local function generate(out)
  local n = 2
  while true do
    out:put(n)
    n = n + 1
  end
end

local function filter(from, to, prime)
  while true do
    local n = from:get()
    if n % prime ~= 0 then to:put(n) end
  end
end

weft.run(function()
  -- Daemons keep no scope open: they end with the scope that they serve.
  local numbers = weft.channel()
  weft.daemon(generate, numbers)
  for _ = 1, how_many do
    local prime = numbers:get()
    print(prime)
    local left = weft.channel()
    weft.daemon(filter, numbers, left, prime)
    numbers = left
  end
end)
