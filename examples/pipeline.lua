-- SPDX-License-Identifier: MIT
--
-- Word counts over the files named on the command line:
--
--   weft run examples/pipeline.lua [-n top] file ...
--
-- Three stages with a bounded channel between each two. A stage that is too fast waits for
-- the next one, so memory stays small however large the files are:
--
--   read: blocks of text  ->  4 counters: a table for each block  ->  sum and print

local weft = require "weft"

local BLOCK = 64 * 1024
local COUNTERS = 4

local top, files = 10, {}
do
  local i = 1
  while arg[i] do
    if arg[i] == "-n" then
      i = i + 1
      top = tonumber(arg[i]) or error("-n wants a number", 0)
    else
      files[#files + 1] = arg[i]
    end
    i = i + 1
  end
  if #files == 0 then
    io.stderr:write("usage: pipeline.lua [-n top] file ...\n")
    os.exit(2)
  end
end

-- Puts each file in blocks that end at the end of a line, so that no word is cut in two.
local function read(blocks)
  for _, name in ipairs(files) do
    local file = assert(io.open(name, "rb"))
    while true do
      local block, rest = file:read(BLOCK, "*l")
      if not block then break end
      blocks:put(rest and block .. rest or block)
      weft.yield()                        -- a file never has to wait: let the others work
    end
    file:close()
  end
  blocks:close()
end

local function count(blocks, counts)
  while true do
    local block, closed = blocks:get()
    if closed then return end
    local words = {}
    for word in block:lower():gmatch("%a+") do words[word] = (words[word] or 0) + 1 end
    counts:put(words)
  end
end

local function sum(counts)
  local total = {}
  while true do
    local words, closed = counts:get()
    if closed then return total end
    for word, n in pairs(words) do total[word] = (total[word] or 0) + n end
  end
end

weft.run(function()
  local blocks, counts = weft.channel(8), weft.channel(8)

  weft.spawn(read, blocks)
  weft.spawn(function()
    weft.scope(function(s)                -- ends when the last counter has
      for _ = 1, COUNTERS do s:spawn(count, blocks, counts) end
    end)
    counts:close()
  end)
  local total = sum(counts)

  local words, all = {}, 0
  for word, n in pairs(total) do
    words[#words + 1] = word
    all = all + n
  end
  table.sort(words, function(a, b)
    if total[a] ~= total[b] then return total[a] > total[b] end
    return a < b
  end)
  for i = 1, math.min(top, #words) do print(("%8d  %s"):format(total[words[i]], words[i])) end
  print(("%8d  words, %d different"):format(all, #words))
end)
