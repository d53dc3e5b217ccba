-- SPDX-License-Identifier: MIT
-- A mutex and a semaphore out of a flag and a condition, as the manual of cqueues shows. What is woken looks
-- again, since somebody else may have been quicker.
local here = arg[0]:match("^(.*)/") or "."
local bench = dofile(here .. "/../lua-micro/common.lua")
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local poll = cqueues.poll
local sections = {}

local permits, free
local function acquire()
  while permits == 0 do free:wait() end
  permits = permits - 1
end
local function release()
  permits = permits + 1
  free:signal(1)
end

local function uncontended(name)
  local n = bench.scaled(2e6)
  permits, free = 1, condition.new()
  local start = bench.clock()
  for _ = 1, n do
    acquire()
    release()
  end
  bench.result(name, (bench.clock() - start) / n * 1e9, "ns")
end

local function contended(name, count, fibers)
  local each = math.floor(bench.scaled(1e5) / fibers)
  permits, free = count, condition.new()
  local loop = cqueues.new()
  for _ = 1, fibers do
    loop:wrap(function()
      for _ = 1, each do
        acquire()
        poll(0)
        release()
      end
    end)
  end
  local start = bench.clock()
  assert(loop:loop())
  bench.result(name, (bench.clock() - start) / (each * fibers) * 1e9, "ns")
end

function sections.mutex_free() uncontended("mutex_free") end
function sections.mutex_2() contended("mutex_2", 1, 2) end
function sections.mutex_100() contended("mutex_100", 1, 100) end
function sections.semaphore_free() uncontended("semaphore_free") end
function sections.semaphore_100() contended("semaphore_100", 4, 100) end

bench.main(sections)
