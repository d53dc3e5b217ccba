-- SPDX-License-Identifier: MIT
-- weft.broadcast(n): every reader gets every message that is sent after it has subscribed. send never waits:
-- the last n messages are kept for slow readers, and one that is slower than that is told how many it has
-- lost. A reader is a place in the numbering of the messages, nothing more, so it need not be given back.
local core = require "weft.core"
local frames = require "weft.frames"
local check = require "weft.check"
local waiters = require "weft.waiters"

local perform, enter = frames.perform, waiters.enter
local misuse = core.misuse

local kind = { name = "a broadcast" }

local broadcast, metatable = check.object("broadcast", function(self)
  if self.is_closed then return "closed" end
  return ("%d sent, %d waiting"):format(self.sent, self.waiters:live())
end)
local reader, reader_metatable = check.object("reader", function(self)
  return ("%d behind"):format(self.from.sent + 1 - self.next)
end)

-- Each waiting reader gets the message; of several fibers at one reader the first one does.
local function deliver(self, value)
  local w = self.waiters.first
  while w do
    local after, r = w.after, w.what
    if r.next <= self.sent then
      self.waiters:remove(w)
      if w.s:complete(w.wrap, value) then r.next = r.next + 1 end
    end
    w = after
  end
end

function broadcast:send(value)
  if self.is_closed then misuse "'send' on a closed broadcast" end
  local sent = self.sent + 1
  self.sent = sent
  self.kept[sent % self.size] = value
  if self.waiters.first then deliver(self, value) end
end

-- Readers get what is kept, and then nil, "closed", "closed".
function broadcast:close()
  if self.is_closed then misuse "'close' on a closed broadcast" end
  self.is_closed = true
  self.waiters:serve_all(nil, "closed", "closed")
end

function broadcast:closed() return self.is_closed end

-- true and the next message, or false.
local function try(self)
  local from, at = self.from, self.next
  if at > from.sent then
    if from.is_closed then return true, nil, "closed", "closed" end
    return false
  end
  local oldest = from.sent - from.size + 1
  if at < oldest then
    self.next = oldest
    return true, nil, "lagged", oldest - at
  end
  self.next = at + 1
  return true, from.kept[at % from.size]
end

local function values(_, ...) return ... end

function reader:get()
  if (self.next <= self.from.sent or self.from.is_closed) and enter() then return values(try(self)) end
  return perform(self.op)
end

function reader:get_op() return self.op end
reader.try_get = try

local function next_message(self)
  local value, code, n = self:get()
  if value ~= nil or code == "closed" then return value end
  if code == "lagged" then misuse(("the reader has lost %d messages: use get to go on"):format(n)) end
  misuse "a nil message ends a for loop: use get, or send something else"
end
function reader:iter() return next_message, self end

return function(weft)
  local function new_reader(from)
    local self = setmetatable({ from = from, next = from.sent + 1 }, reader_metatable)
    self.op = weft.base_op(nil, function() return try(self) end, function(s, wrap)
      from.waiters:add(s, wrap, nil, self)
      if self.next > from.sent and not from.is_closed then return end
      if s:waiting() then s:complete(wrap, values(try(self))) end -- another arm of the choice has sent
    end)
    return self
  end

  function broadcast:subscribe() return new_reader(self) end

  function weft.broadcast(n)
    n = check.integer("broadcast", 1, n, 1)
    return setmetatable({
      size = n, sent = 0, kept = {}, is_closed = false, waiters = waiters.new(kind),
    }, metatable)
  end
end
