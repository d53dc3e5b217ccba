-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.run(function()
  local account, balance = weft.mutex(), 100
  local function withdraw(amount)
    return account:with(function()        -- unlocked also if this fails or is cancelled
      if balance < amount then return false end
      weft.sleep(0.001)                   -- others run, but none withdraws meanwhile
      balance = balance - amount
      return true
    end)
  end

  local results = weft.map({ 60, 60, 40 }, withdraw)
  print(results[1], results[2], results[3], balance) --> true	false	true	0

  -- A lock is an operation too: give up when it takes too long.
  account:lock()
  weft.spawn(function()
    local guard, message = weft.timeout(account:lock_op(), 0.005):perform()
    print(guard, message)                 --> nil	timeout
  end):join()
  account:unlock()
end)
