-- SPDX-License-Identifier: MIT
-- The tasks of a loop in the order in which they are due, equal ones as they were added: a skip list, so that adding
-- and removing costs little however many there are. A list and each task hold at 1, 2, ... what follows on each
-- level; on the first follows every task.
local order = {}

-- On each level there are a quarter of those below.
local most_levels = 16

-- A generator of its own: programs that seed math.random count on their sequence.
local random = 1
local function random_height()
  random = random * 16807 % 2147483647
  local height, left = 1, random
  while left % 4 == 0 and height < most_levels do
    height, left = height + 1, left / 4
  end
  return height
end

local function is_before(a, b) return a.due < b.due or a.due == b.due and a.place < b.place end

-- On each level the last one before the task, or the list.
local function path(list, task)
  local found, at = {}, list
  for level = most_levels, 1, -1 do
    while at[level] and is_before(at[level], task) do at = at[level] end
    found[level] = at
  end
  return found
end

-- Both return what is in front of the task: another one, or the list.
function order.insert(list, task)
  local front = path(list, task)
  for level = 1, random_height() do
    task[level], front[level][level] = front[level][level], task
  end
  return front[1]
end

function order.remove(list, task)
  local front = path(list, task)
  for level = 1, most_levels do
    if front[level][level] ~= task then break end
    front[level][level], task[level] = task[level], nil
  end
  return front[1]
end

return order
