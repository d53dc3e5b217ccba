-- SPDX-License-Identifier: MIT
-- t.Time: a length of time in milliseconds, or a point in time as the milliseconds since 1970.
local weft = require "weft"
local object = require "t.object"
local check = require "t.check"

local kind = object "T.Time"
local methods, metatable = kind.methods, kind.metatable
local floor = math.floor

local function now() return floor(weft.time() * 1000) end

-- The milliseconds of a number or a t.Time, or nil.
local function milliseconds(v)
  if type(v) == "number" then return v end
  return kind.is(v) and kind.record(v).ms or nil
end

local function operand(name, i, v) return milliseconds(v) or check.refuse(name, i, "T.Time", v) end

local function new(v)
  if v == nil then return kind.new { ms = now() } end
  return kind.new { ms = operand("Time", 1, v) }
end

local function sleep(ms)
  if ms <= 0 then return end
  if weft.self() then return weft.sleep(ms / 1000) end
  weft.run(weft.sleep, ms / 1000)
end

function methods:get() return kind.of(self, "get").ms end
function methods:set(v) kind.of(self, "set").ms = operand("set", 1, v) end
function methods:now() kind.of(self, "now").ms = now() end
function methods:since()
  local record = kind.of(self, "since")
  record.ms = now() - record.ms
end

function metatable.__eq(a, b) return milliseconds(a) == milliseconds(b) end
function metatable.__lt(a, b) return operand("__lt", 1, a) < operand("__lt", 2, b) end
function metatable.__le(a, b) return operand("__le", 1, a) <= operand("__le", 2, b) end
function metatable.__add(a, b) return new(operand("__add", 1, a) + operand("__add", 2, b)) end
function metatable.__sub(a, b) return new(operand("__sub", 1, a) - operand("__sub", 2, b)) end

function kind.describe(record)
  return ("[%d:%d]"):format(floor(record.ms / 1000), floor(record.ms % 1000 * 1000))
end

-- T.Time.sleep(ms) and time:sleep() are the same function of a number or a t.Time.
function methods.sleep(v) sleep(operand("sleep", 1, v)) end

return setmetatable({ new = new, milliseconds = milliseconds }, {
  __call = function(_, v) return new(v) end,
  __index = methods,
})
