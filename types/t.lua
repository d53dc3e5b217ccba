-- SPDX-License-Identifier: MIT
---@meta t
-- t.*: lua-t's event loop and what its programs use, over weft (docs/loop.md). Results of functions that may fail in
-- the world: see each.

-- ============================================================================ t.Loop

---@alias t.Direction "r"|"rd"|"read"|"READ"|"inc"|"incoming"|"w"|"wr"|"write"|"WRITE"|"out"|"outgoing"|"rw"|"rdwr"|"readwrite"|"READWRITE"|"both"|"either"
---@alias t.Handle integer|file*|t.Socket|weft.Socket|weft.Stream|weft.Listener|weft.Pollable|table|userdata

---`loop[handle]` is the handle's node, `#loop` the number of descriptors observed.
---@class t.Loop
---@operator len: integer
---@overload fun(...): t.Loop Arguments are ignored.
---@field [t.Handle] t.Node?
local Loop = {}

---The handle's function for that direction; replaces one that was there. Raises for what cannot be observed.
---@param handle t.Handle
---@param direction t.Direction Of both: the function is called for either.
---@param f fun(...) May wait.
---@param ... any Its arguments.
---@return t.Node
function Loop:addHandle(handle, direction, f, ...) end

---@param handle t.Handle
---@param direction? t.Direction Default both.
---@return t.Node? node nil: the loop does not observe it.
---@return string? message
function Loop:removeHandle(handle, direction) end

---@param ms integer|t.Time From now; of a loop that does not run, from its next `run`.
---@param f fun(...): integer? May wait. An integer greater than 1: once more, in so many milliseconds.
---@param ... any
---@return t.Task
function Loop:addTask(ms, f, ...) end

---The same as `addTask`.
---@param ms integer|t.Time
---@param f fun(...): integer?
---@param ... any
---@return t.Task
function Loop:addTimer(ms, f, ...) end

---@param task t.Task
---@return boolean cancelled Whether it was to be called, or called once more.
function Loop:cancelTask(task) end

---The same as `cancelTask`.
---@param task t.Task
---@return boolean
function Loop:cancelTimer(task) end

---Until it is stopped or nothing is left. Suspends in a fiber; elsewhere it drives a runtime. Raises what a callback
---raises.
function Loop:run() end

---No callback begins any more, and those that wait are cancelled, but for the caller.
function Loop:stop() end

---Removes all handles and tasks.
function Loop:clean() end

---The listing of tasks and handles.
---@return string
function Loop:show() end

---Suspends in a fiber; elsewhere the process sleeps. Also `t.Loop.sleep(ms)`.
---@param ms integer|t.Time
function Loop:sleep(ms) end

---Milliseconds since 1970. Also `t.Loop.time()`.
---@return integer
function Loop:time() end

---User values: 1 and 2 the tables { function, arguments... } for reading and writing, 3 the handle.
---@class t.Node: userdata
local Node = {}

---@param i? 1|2|3 Default 1.
---@return any
function Node:getuservalue(i) end

---User values: 1 the next task that is due, 2 the table { function, arguments... }.
---@class t.Task: userdata
local Task = {}

---@param i? 1|2 Default 1.
---@return any
function Task:getuservalue(i) end

-- ============================================================================ t.Time

---Milliseconds: a length of time, or since 1970. `+`, `-`, `==`, `<`.
---@class t.Time
---@overload fun(ms?: number|t.Time): t.Time Default: now.
---@operator add(t.Time): t.Time
---@operator sub(t.Time): t.Time
local Time = {}

---@return number ms
function Time:get() end

---@param ms number|t.Time
function Time:set(ms) end

---Becomes the time since 1970.
function Time:now() end

---Becomes the time that has passed since what it was.
function Time:since() end

---Sleeps for so long, as `t.Loop.sleep`. Also `t.Time.sleep(ms)`.
function Time:sleep() end

-- ============================================================================ t.Buffer

---Bytes that can be changed: `buffer[i]` is a byte. `#`, `==`, and `+` of two buffers.
---@class t.Buffer
---@overload fun(size_or_content: integer|string|t.Buffer|t.Segment, size?: integer): t.Buffer
---@operator len: integer
---@operator add(t.Buffer): t.Buffer
---@field [integer] integer
local Buffer = {}

---@param offset? integer Default 1.
---@param length? integer Default: to the end.
---@return string
function Buffer:read(offset, length) end

---Raises when it does not fit.
---@param content string|t.Buffer|t.Segment
---@param offset? integer
---@param length? integer
function Buffer:write(content, offset, length) end

---Makes all bytes 0.
function Buffer:clear() end

---@return string
function Buffer:toHex() end

---@return string
function Buffer:toBin() end

---A window on it.
---@param offset? integer Default 1.
---@param length? integer Default: to the end.
---@return t.Segment
function Buffer:Segment(offset, length) end

---As a buffer, but for `+`.
---@class t.Segment
---@operator len: integer
---@field [integer] integer
---@field buffer t.Buffer Not to be set.
---@field start integer
---@field size integer
---@field last integer
local Segment = {}

---@param offset? integer
---@param length? integer
---@return string
function Segment:read(offset, length) end

---@param content string|t.Buffer|t.Segment
---@param offset? integer
---@param length? integer
function Segment:write(content, offset, length) end

function Segment:clear() end

---@return string
function Segment:toHex() end

---@return string
function Segment:toBin() end

---@param by integer
---@return boolean moved false: it would not be in the buffer.
function Segment:shift(by) end

---Goes to the bytes behind it, or what is left of them.
---@return boolean moved false: there are none.
function Segment:next() end

-- ============================================================================ t.Net

---@class t.Address
---@overload fun(ip?: string, port?: integer): t.Address Default "0.0.0.0" and 0. A text with a slash is a path.
---@field family "AF_INET"|"AF_INET6"|"AF_UNIX" Not to be set.
---@field ip string
---@field port integer
local Address = {}

---@return string ip
---@return integer port
function Address:get() end

---@param ip string
---@param port? integer
function Address:set(ip, port) end

---A snapshot. Of the class: `t.Net.Interface.list()` and `t.Net.Interface.default()`.
---@class t.Interface
---@overload fun(name: string): t.Interface? "default" for the one that leads out.
---@field name string
---@field address t.Address The first one.
---@field AF_INET { address: t.Address, netmask: t.Address?, broadcast: t.Address?, peeraddress: t.Address? }?
---@field AF_INET6 { address: t.Address, netmask: t.Address?, peeraddress: t.Address? }?
---@field flags table<string, boolean> IFF_UP, IFF_RUNNING, IFF_LOOPBACK, IFF_POINTOPOINT, IFF_MULTICAST.
local Interface = {}

---@return table<string, t.Interface>
function Interface.list() end

---@return t.Interface
function Interface.default() end

---A socket blocks (its fiber waits; outside a fiber it drives a runtime), unless `nonblock` is set.
---bind, listen and connect are also functions of the class, which make the socket: socket, address.
---@class t.Socket
---@overload fun(protocol?: "tcp"|"udp", family?: string, type?: string): t.Socket?, string?, string?
---@field nonblock boolean
---@field broadcast boolean
---@field debug boolean
---@field dontroute boolean
---@field keepalive boolean
---@field nodelay boolean
---@field oobinline boolean
---@field reuseaddr boolean
---@field reuseport boolean
---@field maxsegment integer
---@field recvbuffer integer
---@field recvlow integer
---@field recvtimeout integer Milliseconds that accept and recv wait; 0: for ever.
---@field sendbuffer integer
---@field sendlow integer
---@field sendtimeout integer Milliseconds that send waits; 0: for ever.
---@field error integer Not to be set.
---@field descriptor integer? nil when closed. Not to be set.
---@field family string "AF_INET", ... Not to be set.
---@field type string "SOCK_STREAM" or "SOCK_DGRAM". Not to be set.
---@field protocol string "tcp", "udp" or "unix". Not to be set.
local Socket = {}

---@param host? string|integer|t.Address Or the port. Default "0.0.0.0" and 0.
---@param port? integer
---@return t.Address?
---@return string? message
---@return weft.Code? code
function Socket:bind(host, port) end

---Binds, unless there is no address, and listens.
---@param host? string|integer|t.Address
---@param port? integer
---@param backlog? integer Behind whatever there is of an address.
---@return t.Address?
---@return string? message
---@return weft.Code? code
function Socket:listen(host, port, backlog) end

---Waits until connected; with `nonblock` it is connected when it is writable.
---@param host? string|integer|t.Address Or the port. Default "127.0.0.1".
---@param port? integer
---@return t.Address?
---@return string? message
---@return weft.Code? code
function Socket:connect(host, port) end

---@return t.Socket|false
---@return t.Address|string
---@return weft.Code? code
function Socket:accept() end

---A stream that blocks sends all.
---@param message string|t.Buffer|t.Segment
---@param address? t.Address|integer Or max.
---@param max? integer
---@return integer|false sent
---@return string? message
---@return weft.Code? code
function Socket:send(message, address, max) end

---Any of the arguments may be left out: address, buffer, max.
---@param address? t.Address Becomes the sender's.
---@param buffer? t.Buffer|t.Segment
---@param max? integer At most `t.Buffer.Size` without a buffer.
---@return string|boolean|nil bytes true: they are in the buffer; nil: the end; false: an error.
---@return integer|string n Or message.
---@return weft.Code? code
function Socket:recv(address, buffer, max) end

---@param direction? t.Direction|0|1|2|"SHUT_RD"|"SHUT_WR"|"SHUT_RDWR" Default both.
---@return boolean ok
---@return string? message
---@return weft.Code? code
function Socket:shutdown(direction) end

function Socket:close() end

---What `weft.pollable` takes.
---@return weft.Socket
function Socket:pollfd() end

---Waits until one is ready. A socket with a name in its list has the same name in the result.
---@param reads table<any, t.Socket>
---@param writes table<any, t.Socket>
---@return table<any, t.Socket> reads
---@return table<any, t.Socket> writes
function Socket.select(reads, writes) end
