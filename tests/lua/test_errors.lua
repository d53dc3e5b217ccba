-- SPDX-License-Identifier: MIT
-- How errors are reported: message, fiber, traceback, the line of the spawn.

local t = require "harness"
local weft = require "weft"

t.outside("an error of f has its message, its traceback and nothing else", function()
  local function breaks() error("it broke") end
  local e = t.raises("^[^\n]*test_errors%.lua:%d+: it broke", weft.run, function()
    breaks()
    return 1
  end)
  t.contains(e, "stack traceback")
  t.contains(e, "breaks")
end)

t.outside("a child's error names the fiber, where it failed and where it was spawned", function()
  local function breaks() error("child broke") end
  local spawned
  local e = t.raises("test_errors%.lua:%d+: child broke", weft.run, function()
    spawned = debug.getinfo(1, "l").currentline + 1
    local f = weft.spawn(function() breaks() end)
    f:name("resolver")
    weft.sleep(3600)
  end)
  t.contains(e, "resolver")
  t.contains(e, "stack traceback")
  t.contains(e, "breaks")
  t.contains(e, "test_errors.lua:" .. spawned)
end)

t.outside("an unnamed fiber has a number", function()
  local id
  local e = t.raises("no name", weft.run, function()
    id = weft.spawn(function() error("no name") end).id
    weft.sleep(3600)
  end)
  t.contains(e, tostring(id))
end)

t.outside("the error of a fiber that had waited", function()
  local function after_waiting()
    weft.sleep(0.002)
    error("after waiting")
  end
  local e = t.raises("after waiting", weft.run, function()
    weft.spawn(function() after_waiting() end)
    weft.sleep(3600)
  end)
  t.contains(e, "after_waiting")
end)

t.outside("a runtime error of Lua's own", function()
  local e = t.raises("test_errors%.lua:%d+: attempt to index", weft.run, function()
    weft.spawn(function()
      local nothing = nil
      return nothing.field
    end)
  end)
  t.contains(e, "stack traceback")
end)

t.outside("waiting below a C function says what to do, on every Lua", function()
  t.raises("cannot wait here", weft.run, function()
    table.sort({ 3, 1, 2 }, function(a, b)
      weft.sleep(0.001)
      return a < b
    end)
  end)
end)

t.outside("a traceback shows no function of weft's own", function()
  local function breaks() error("it broke") end
  local e = t.raises("it broke", weft.run, function()
    weft.scope(function(s)
      s:spawn(function() breaks() end)
      weft.sleep(3600)
    end)
  end)
  t.contains(e, "breaks")
  t.eq(e:find("weft/%l+%.lua"), nil, e)
end)

t.outside("only strings get a traceback; other values pass untouched", function()
  local object = setmetatable({}, { __tostring = function() return "object" end })
  for _, value in ipairs { object, 7, true, print } do
    local ok, e = pcall(weft.run, function() error(value, 0) end)
    t.eq(ok, false)
    t.eq(e, value)
    ok, e = pcall(weft.run, function()
      weft.spawn(function() error(value, 0) end)
      weft.sleep(3600)
    end)
    t.eq(ok, false)
    t.eq(e, value)
  end
end)

t.outside("the first of several errors is run's", function()
  t.raises("^first", weft.run, function()
    weft.spawn(function() error("first", 0) end)
    weft.spawn(function() error("second", 0) end)
    weft.sleep(3600)
  end)
end)

-- The lines of an error's text from "and <n> more:" on.
local function listed(f)
  local ok, e = pcall(weft.run, f)
  t.eq(ok, false)
  local lines = {}
  for line in (e:match "\n(and %d+ more:.*)$" or ""):gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines, e
end

t.outside("later errors are listed after the first one's traceback", function()
  local lines = listed(function()
    weft.spawn(error, "first", 0)
    weft.spawn(error, "second", 0):name "other"
    weft.spawn(error, setmetatable({}, { __tostring = function() return "third" end }))
    weft.spawn(error, setmetatable({}, { __tostring = function() error "no text" end }))
  end)
  t.eq(#lines, 4)
  t.eq(lines[1], "and 3 more:")
  t.match(lines[2], "^  second %(in fiber 'other' %(#%d+%), spawned at [^ ]*test_errors%.lua:%d+%)$")
  t.match(lines[3], "^  third %(in fiber #%d+, spawned at [^ ]*test_errors%.lua:%d+%)$")
  t.match(lines[4], "^  table %(in fiber")
end)

t.outside("one error alone lists nothing", function()
  t.same(listed(function() error "alone" end), {})
end)

t.outside("also those of scopes inside, each once", function()
  local lines, e = listed(function()
    local fiber = weft.async(function()
      weft.scope(function(s)
        s:spawn(error, "first", 0)
        s:spawn(error, "second", 0)
      end)
    end)
    for _ = 1, 3 do weft.spawn(fiber.join, fiber) end
    weft.shield(function()
      weft.sleep(0.01)
      error("third", 0)
    end)
  end)
  t.match(e, "^first")
  t.eq(#lines, 3)
  t.match(lines[2], "^  second")
  t.match(lines[3], "^  third")
end)

t.outside("an error that a join has taken is not listed", function()
  local lines, e = listed(function()
    local fiber = weft.async(error, "taken", 0)
    weft.spawn(function()
      weft.yield()
      weft.yield()
      error("not taken", 0)
    end)
    t.raises_value("taken", fiber.join, fiber)
    weft.sleep(3600)
  end)
  t.match(e, "^not taken")
  t.same(lines, {})
end)

t.outside("of very many errors the first few are listed", function()
  local lines = listed(function()
    for i = 1, 100 do weft.spawn(error, "error " .. i, 0) end
  end)
  t.eq(lines[1], "and 99 more:")
  t.match(lines[11], "^  error 11 ")
  t.same({ lines[12], lines[13] }, { "  ..." })
end)

t.outside("an error through joins keeps its origin", function()
  local function origin() error("at the origin") end
  local e = t.raises("at the origin", weft.run, function()
    local f = weft.spawn(function()
      weft.yield()
      origin()
    end)
    weft.spawn(function() f:join() end):join()
  end)
  t.contains(e, "origin")
end)

t.test("error_info of a table", function()
  local function origin() error({}) end
  local ok, e = t.pcall(weft.scope, function(s)
    s:spawn(function() origin() end):name("culprit")
    weft.sleep(3600)
  end)
  t.eq(ok, false)
  local info = weft.error_info(e)
  t.contains(info.traceback, "origin")
  t.eq(info.fiber:name(), "culprit")
  t.eq(weft.error_info({}), nil)
end)

-- ---------------------------------------------------------------- whole programs

t.test("an uncaught error of a program", function()
  local r = t.program([[
local weft = require "weft"
local function inner() error("uncaught") end
weft.run(function()
  weft.spawn(function() inner() end):name("doomed")   -- line 4
  weft.sleep(3600)
end)
]])
  t.eq(r.code, 1)
  t.eq(r.out, "")
  t.contains(r.err, ":2: uncaught")
  t.contains(r.err, "doomed")
  t.contains(r.err, "stack traceback")
  t.contains(r.err, r.path .. ":4")
end)

t.test("WEFT_DEBUG=spawn prints the whole chain of spawns", function()
  local source = [[
local weft = require "weft"
local function third() error("deep down") end
local function second()
  weft.spawn(third)          -- line 4
  weft.sleep(3600)
end
local function first()
  weft.spawn(second)         -- line 8
  weft.sleep(3600)
end
weft.run(function()
  weft.spawn(first)          -- line 12
  weft.sleep(3600)
end)
]]
  local r = t.program(source, { env = "WEFT_DEBUG=spawn" })
  t.eq(r.code, 1)
  t.contains(r.err, "deep down")
  for _, line in ipairs { 4, 8, 12 } do t.contains(r.err, r.path .. ":" .. line) end
  r = t.program((source:gsub("weft%.spawn%(first%)", "weft.scope(function(s) s:spawn(first) end)")),
    { env = "WEFT_DEBUG=spawn" })
  for _, line in ipairs { 4, 8, 12 } do t.contains(r.err, r.path .. ":" .. line) end
  r = t.program(source)
  t.contains(r.err, r.path .. ":4")
end)

t.test("an unknown WEFT_DEBUG or WEFT_BACKEND raises", function()
  local source = [[require("weft").run(function() end)]]
  for _, env in ipairs { "WEFT_DEBUG=spwan", "WEFT_BACKEND=poll9" } do
    local r = t.program(source, { env = env })
    t.ne(r.code, 0, env)
    t.contains(r.err, env:match("=(.*)"))
  end
end)

-- ---------------------------------------------------------------- misuse, in a fiber

t.test("misuse is reported at the caller's line, also deep in a fiber", function()
  weft.spawn(function()
    weft.yield()
    t.misuse("bad argument", function() weft.sleep("soon") end)
    t.misuse("bad argument", function() weft.spawn(nil) end)
    t.misuse("bad argument", function() weft.channel("x") end)
    t.misuse("bad argument", function() weft.net.tcp.listen() end)
    t.misuse("bad argument", function() weft.net.tcp.connect("127.0.0.1", {}) end)
  end):join()
end)
