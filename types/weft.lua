-- SPDX-License-Identifier: MIT
---@meta weft
-- luacheck: ignore 241
--
-- LuaLS annotations of weft's public Lua API. In .luarc.json: "workspace.library": [".../types"].
--
-- Said once, for all:
--   * Durations and points in time are seconds (integer or float). NaN is refused, negative is zero,
--     math.huge is for ever.
--   * "Suspends": the calling fiber may wait, and other fibers run. It needs a fiber, raises where the
--     fiber is cancelled (weft.is_cancelled), and on Lua 5.1 cannot be called across a C call boundary
--     (pcall: use weft.pcall; metamethods; iterators of a for loop).
--   * What fails in the world returns nil, message, code; the code is a short constant string
--     ("ECONNREFUSED", "timeout", "closed"; docs/errors.md). Misuse raises at the caller's line.
--   * x and x_op are twins: x(...) is x_op(...):perform().
--   * Every object has a tostring that says what it is doing.

---@class weft
---@field _VERSION string
local weft = {}

---The third result of what fails in the world. Other errors of the system have the symbol of `errno.h`.
---@alias weft.Code
---| "closed" # The channel, stream, listener, ticker or broadcast is closed.
---| "timeout" # `weft.timeout`.
---| "ECONNREFUSED"
---| "ECONNRESET"
---| "ECONNABORTED"
---| "EPIPE"
---| "ENOTCONN"
---| "EISCONN"
---| "ETIMEDOUT"
---| "EADDRINUSE"
---| "EADDRNOTAVAIL"
---| "EAFNOSUPPORT"
---| "EHOSTUNREACH"
---| "ENETUNREACH"
---| "ENETDOWN"
---| "EACCES"
---| "EPERM"
---| "EMFILE"
---| "ENFILE"
---| "EAGAIN"
---| "ENOMEM"
---| "ENOBUFS"
---| "EBUSY" # In use by another runtime.
---| "EINVAL"
---| "EBADF"
---| "ERANGE" # A descriptor with too high a number for `select`.
---| "ECANCELED"
---| "ENOTFOUND" # No such host.
---| "EAI_AGAIN" # The resolver cannot be asked now.
---| "EAI_FAIL" # The resolver failed.

-- ============================================================================ running

---@alias weft.Backend "io_uring"|"epoll"|"select"|"kqueue"|"iocp"

---@class weft.RunOptions
---@field backend? weft.Backend Default: `WEFT_BACKEND`, or the best one here. Inside a fiber only the one that drives it.
---@field drain? boolean Default true: waits for the root scope's children. false: cancels them when `f` returns.
---@field preempt? number Milliseconds after which a fiber that does not wait goes behind the others (Lua 5.3 and
---later; elsewhere the option raises).
---@field watchdog? number Milliseconds after which a fiber that does not wait is named on stderr, with its traceback.
---On LuaJIT compiled code is not seen: `jit.off()`.
---@field dump_signal? "SIGQUIT"|"SIGUSR1"|"SIGUSR2" The signal that prints all fibers on stderr.

---Runs `f` as a fiber, and all that it spawns, until they have ended. Inside a fiber it is `weft.scope(f)`.
---
---Blocks the calling thread. Raises what failed the root scope: strings with the fiber's name, its traceback and
---the line of its spawn appended, other values untouched; a deadlock (`weft.is_deadlock`) when every fiber is
---parked and nothing can wake one; on an unknown option or backend.
---@generic T
---@param f fun(...): T...
---@param ... any Arguments of f.
---@return T ...
---@overload fun(opts: weft.RunOptions, f: fun(...), ...): ...
function weft.run(f, ...) end

---Queues a fiber that runs `f(...)`, in the innermost scope that is open in the calling fiber. A failure that no
---joiner waits for fails that scope. Does not suspend.
---@param f fun(...): ...
---@param ... any
---@return weft.Fiber
function weft.spawn(f, ...) end

---Like `spawn`, but a failure is kept for a later `join`, at the latest for the scope's end.
---@param f fun(...): ...
---@param ... any
---@return weft.Fiber
function weft.async(f, ...) end

---Like `spawn`, but it keeps no scope open, does not count for deadlock, and is cancelled when the last ordinary
---child of its scope has ended.
---@param f fun(...): ...
---@param ... any
---@return weft.Fiber
function weft.daemon(f, ...) end

---Goes behind all other runnable fibers. Suspends.
function weft.yield() end

---The running fiber; nil outside one.
---@return weft.Fiber?
function weft.self() end

---Calls `f` when the calling fiber ends: by return, error or cancellation; last registered, first called. f may wait.
---An error of f is the fiber's, or stands beside the one that it has failed with. Raises outside a fiber.
---@param f fun()
function weft.defer(f) end

---Calls `f(...)` with the cancellation of outer scopes hidden, so that clean-up can wait. Deadlines of scopes
---opened inside still count. Suspends as f does.
---@generic T
---@param f fun(...): T...
---@param ... any
---@return T ...
function weft.shield(f, ...) end

---`pcall` in which a fiber may wait on every Lua. A cancellation is caught like any error, and raised again at the
---next wait.
---@param f fun(...): ...
---@param ... any
---@return boolean ok
---@return any ... Results, or the error value.
function weft.pcall(f, ...) end

---`xpcall` in which a fiber may wait on every Lua; passes arguments on 5.1 too.
---@param f fun(...): ...
---@param handler fun(e: any): any
---@param ... any
---@return boolean ok
---@return any ...
function weft.xpcall(f, handler, ...) end

-- ---------------------------------------------------------------- fibers

---@alias weft.FiberStatus "runnable"|"running"|"parked"|"done"|"failed"|"cancelled"

---@class weft.Fiber
---@field id integer Counts from 1 in each Lua state.
local Fiber = {}

---Waits until the fiber has ended. Suspends.
---Raises the fiber's own error value; for a cancelled fiber a `weft.Cancelled` whose `fiber` it is.
---@return any ... What its function returned.
function Fiber:join() end

---As an operation that any number of fibers may perform. A failure goes to those that wait for it at that moment.
---@return weft.Op
function Fiber:join_op() end

---Cancels the fiber's own scope, and so all scopes that it opened. It is raised where the fiber waits, at once if it
---is parked, and at each further wait. Does not suspend; nothing happens to a fiber that has ended; the first reason
---stays.
---@param reason? any
function Fiber:cancel(reason) end

---Does not suspend.
---@return weft.FiberStatus
function Fiber:status() end

---The fiber's name, or nil; with an argument, names it, for reports.
---@param name? string
---@return string?
function Fiber:name(name) end

---Where the fiber stands, or where it has failed; nil when it has ended otherwise.
---@return string?
function Fiber:traceback() end

-- ---------------------------------------------------------------- scopes

---@class weft.ScopeOptions
---@field name? string For reports.
---@field timeout? number Seconds after which the scope is cancelled and raises (`weft.is_timeout`).
---@field deadline? number The same as a point in time of `weft.now()`. With both, the earlier one holds.

---@class weft.Scope
local Scope = {}

---Calls `f(s)` in the calling fiber and returns its results when all children of the scope have ended.
---
---The first error, of f or of a child, cancels the rest and is raised here, the value untouched. A cancellation that
---the scope's own `s:cancel()` caused ends here: then there are no results. Raises on unknown options. Suspends.
---@generic T
---@param f fun(s: weft.Scope): T...
---@return T ...
---@overload fun(opts: weft.ScopeOptions, f: fun(s: weft.Scope)): ...
function weft.scope(f) end

---A scope as an operation, with f's results: it starts when performed, in a fiber of its own; lost in a choice, or
---cancelled, it is cancelled and joined before the choice returns.
---@param f fun(s: weft.Scope): ...
---@return weft.Op
---@overload fun(opts: weft.ScopeOptions, f: fun(s: weft.Scope): ...): weft.Op
function weft.scope_op(f) end

---As `weft.spawn`, in this scope; from any fiber. Raises when the scope has ended.
---@param f fun(...): ...
---@param ... any
---@return weft.Fiber
function Scope:spawn(f, ...) end

---As `weft.async`, in this scope.
---@param f fun(...): ...
---@param ... any
---@return weft.Fiber
function Scope:async(f, ...) end

---As `weft.daemon`, in this scope.
---@param f fun(...): ...
---@param ... any
---@return weft.Fiber
function Scope:daemon(f, ...) end

---Cancels the body and all children, from any fiber. Does not suspend; nothing happens to a scope that has ended;
---the first reason stays.
---@param reason? any `e.reason` of what is raised in them.
function Scope:cancel(reason) end

---Calls `f` when the scope's children have ended; last registered, first called. f may wait; its error is one of the
---scope's. Raises when the scope has ended.
---@param f fun()
function Scope:defer(f) end

---The errors so far: the first one, and those that came while the rest was cancelled.
---@return any[]
function Scope:errors() end

---"closing": the body has returned, and it waits for its children. Does not suspend.
---@return "open"|"closing"|"cancelled"|"failed"|"done"
function Scope:status() end

-- ---------------------------------------------------------------- error values

---@class weft.Cancelled
---@field fiber weft.Fiber The fiber that was cancelled.
---@field reason any What was given to `cancel`.

---@class weft.TimedOut
---@field scope string The name of the scope whose deadline has passed, or "unnamed".

---Whether `e` was raised by a cancellation: then it is a `weft.Cancelled`.
---@param e any
---@return boolean
function weft.is_cancelled(e) end

---Whether `e` was raised by the deadline of a scope: then it is a `weft.TimedOut`. Not what `weft.timeout` gives.
---@param e any
---@return boolean
function weft.is_timeout(e) end

---Whether `e` is run's report that nothing can go on; its `tostring` lists all fibers.
---@param e any
---@return boolean
function weft.is_deadlock(e) end

---@class weft.ErrorInfo
---@field traceback string Where it was raised.
---@field fiber weft.Fiber In which fiber.
---@field others weft.OtherError[] Errors that came after it in the same scope.
---@field seed? integer Of the `weft.test` that it failed.

---@class weft.OtherError
---@field value any
---@field fiber weft.Fiber
---@field traceback string

---What is known about an error value that a fiber raised; nil for others.
---@param e any
---@return weft.ErrorInfo?
function weft.error_info(e) end

-- ---------------------------------------------------------------- time

---Seconds of a clock that never goes back, read at the call: only differences mean something.
---@return number
function weft.now() end

---Seconds since 1970 by the wall clock, which may be set back. For time stamps; `now` is for durations.
---@return number
function weft.time() end

---Suspends for `seconds`, never less; 0 as `weft.yield`.
---@param seconds number
function weft.sleep(seconds) end

---Happens `seconds` after each perform, without values.
---@param seconds number
---@return weft.Op
function weft.sleep_op(seconds) end

---Suspends until then; goes behind the others at least when it has passed.
---@param time number A point in time of `weft.now()`.
function weft.sleep_until(time) end

---Happens at that time, at once if it has passed.
---@param time number A point in time of `weft.now()`.
---@return weft.Op
function weft.sleep_until_op(time) end

---@class weft.Ticker
local Ticker = {}

---Fires every `seconds`, counted from now, without drift. Ticks that nobody waited for become one.
---@param seconds number Above zero.
---@return weft.Ticker
function weft.ticker(seconds) end

---Waits for the next tick; all who wait get it. Suspends. After `stop`: nil, "closed", "closed".
---@return number? time When it was taken, of `weft.now()`.
---@return "closed"? message
---@return "closed"? code
function Ticker:next() end

---@return weft.Op
function Ticker:next_op() end

---Wakes those who wait, with nil, "closed", "closed". May be called again.
function Ticker:stop() end

-- ============================================================================ operations

---Something that can be waited for: a value, built once, performed many times, by several fibers at once.
---@class weft.Op
local Op = {}

---Waits until the operation has happened. Suspends. Raises where the fiber is cancelled, before anything is tried.
---@return any ... Its values.
function Op:perform() end

---Completes now or not at all. Does not suspend (wraps may). Guards run; nacks of what is not ready are signalled.
---@return boolean done
---@return any ... Its values.
function Op:try() end

---An operation that never waits: if this one is not ready, `f` gives the values. In a choice it is the default of the
---whole choice: every arm is tried first. Two of them in one choice raise.
---@param f fun(): ...
---@return weft.Op
function Op:or_else(f) end

---`op:or_else(f):perform()`
---@param f fun(): ...
---@return any ...
function Op:perform_alt(f) end

---An operation whose values go through `f`, which runs in the performer and may suspend.
---@param f fun(...): ...
---@return weft.Op
function Op:wrap(f) end

---An operation that calls `f`, in the performer and before it goes on, when it was in a performed choice and lost, or
---was cancelled. f may suspend.
---@param f fun()
---@return weft.Op
function Op:on_abort(f) end

---The operation that is the first of these to happen; of several that are ready each is as likely. Raises when empty.
---@param op weft.Op
---@param ... weft.Op
---@return weft.Op
---@overload fun(ops: weft.Op[]): weft.Op
function weft.choose(op, ...) end

---The choice of operations and of functions: each function runs in a scope of its own (`weft.scope_op`), which is
---cancelled and joined when it loses.
---@param ops (weft.Op|fun(s: weft.Scope): ...)[]
---@return weft.Op
function weft.race(ops) end

---`op`, or after `seconds`: nil, "timeout", "timeout".
---@param op weft.Op
---@param seconds number
---@return weft.Op
function weft.timeout(op, seconds) end

---Always ready, with these values.
---@param ... any
---@return weft.Op
function weft.always(...) end

---Never ready.
---@return weft.Op
function weft.never() end

---The operation that `f` returns, made anew at each perform, in the performer. f may suspend.
---@param f fun(): weft.Op
---@return weft.Op
function weft.guard(f) end

---As `guard`; f gets an operation that happens once the one that it returned was not chosen, or the perform was
---cancelled; never when it was chosen.
---@param f fun(nack: weft.Op): weft.Op
---@return weft.Op
function weft.with_nack(f) end

---A resource for the time of one perform: `acquire()` gives it, `use(resource)` the operation, and
---`release(resource, lost)` is called once, however the perform ends: with false when the operation happened and its
---wraps have run.
---@generic R
---@param acquire fun(): R
---@param release fun(resource: R, lost: boolean)
---@param use fun(resource: R): weft.Op
---@return weft.Op
function weft.bracket(acquire, release, use) end

---Performs the choice of the named operations. Suspends.
---@param ops table<any, weft.Op>
---@return any name The one that happened.
---@return any ... Its values.
function weft.select(ops) end

---The same as an operation.
---@param ops table<any, weft.Op>
---@return weft.Op
function weft.select_op(ops) end

---One wait of a user's own operation. A stale one answers false to everything.
---@class weft.Suspension
local Suspension = {}

---Whether it is still waiting.
---@return boolean
function Suspension:waiting() end

---Completes the wait with these values, through `wrap`, which the performer calls. Does not suspend. From any fiber.
---@param wrap? fun(...): ...
---@param ... any
---@return boolean won False if something else completed it before.
function Suspension:complete(wrap, ...) end

---Calls `f` when the wait is over, however it ended, to unlink it.
---@param f fun()
function Suspension:on_done(f) end

---A primitive of the user's own. `try` and `block` run in the performer and may not wait.
---@param wrap? fun(...): ...
---@param try fun(): boolean, ... `true, values` if it completed now, else `false`.
---@param block fun(s: weft.Suspension, wrap: fun(...): ...) Leaves `s` where a counterpart will find it.
---@return weft.Op
function weft.base_op(wrap, try, block) end

-- ============================================================================ channels

---@class weft.Channel<T>: { put: fun(self: weft.Channel<T>, v: T), get: fun(self: weft.Channel<T>): T }
---@operator len: integer
local Channel = {}

---A channel. Without `n`, or with 0, put and get meet; with n up to n messages wait in it; with math.huge put never
---waits. Messages are first in, first out, and so are those who wait.
---@param n? number
---@return weft.Channel
function weft.channel(n) end

---Suspends until the message is taken, or has a place. Raises when the channel is closed, before or meanwhile.
---@param v any Any value, nil included; passed by identity.
---@return true
function Channel:put(v) end

---Lost in a choice, it has put nothing. On a closed channel it is ready, and raises if it is chosen.
---@param v any
---@return weft.Op
function Channel:put_op(v) end

---Puts if nobody has to be waited for. Does not suspend. Raises when the channel is closed.
---@param v any
---@return boolean done
function Channel:try_put(v) end

---Suspends until there is a message. When the channel is closed and empty: nil, "closed", "closed".
---@return any v
---@return "closed"? message
---@return "closed"? code
function Channel:get() end

---Lost in a choice, it has taken nothing.
---@return weft.Op
function Channel:get_op() end

---Gets if nobody has to be waited for; true for a closed channel too. Does not suspend.
---@return boolean done
---@return any ... As `get`.
function Channel:try_get() end

---No more puts: those that wait raise; gets drain what is there and then end. Raises when closed already.
function Channel:close() end

---@return boolean
function Channel:closed() end

---@return number n As given to `weft.channel`; 0 for a meeting.
function Channel:cap() end

---`for v in ch:iter() do`: until the channel is closed and empty. Each step suspends. Raises on a nil message.
---@return fun(): any
function Channel:iter() end

---A channel whose other end may be in another Lua state, or in C++ (`weft::shared_channel`). It has the methods of a
---channel, and its operations stand in choices beside all others. What is put is copied: nil, booleans, numbers,
---strings, and shared objects (channels like this one among them), which pass by reference. An object that a C++
---program has made may be one end only: the other methods raise.
---@class weft.SharedChannel
---@operator len: integer
local SharedChannel = {}

---@param n? number As of `weft.channel`.
---@return weft.SharedChannel
function weft.shared_channel(n) end

---Suspends until the message is taken, or has a place. Raises when the channel is closed, before or meanwhile, and
---for what cannot be sent ("argument 1: a function cannot be sent through a shared channel").
---@param v nil|boolean|number|string|userdata
---@return true
function SharedChannel:put(v) end

---Lost in a choice, it has put nothing. On a closed channel it is ready, and raises if it is chosen.
---@param v nil|boolean|number|string|userdata
---@return weft.Op
function SharedChannel:put_op(v) end

---Puts if nobody has to be waited for. Does not suspend. Raises when the channel is closed.
---@param v nil|boolean|number|string|userdata
---@return boolean done
function SharedChannel:try_put(v) end

---Suspends until there is a message. When the channel is closed and empty: nil, "closed", "closed". Integers from
---other states stay integers where the Lua has them.
---@return any v
---@return "closed"? message
---@return "closed"? code
function SharedChannel:get() end

---Lost in a choice, it has taken nothing.
---@return weft.Op
function SharedChannel:get_op() end

---Gets if nobody has to be waited for; true for a closed channel too. Does not suspend.
---@return boolean done
---@return any ... As `get`.
function SharedChannel:try_get() end

---No more puts: those that wait raise; gets drain what is there and then end. Raises when closed already.
function SharedChannel:close() end

---@return boolean
function SharedChannel:closed() end

---@return number n As given to `weft.shared_channel`; 0 for a meeting.
function SharedChannel:cap() end

---`for v in ch:iter() do`: until the channel is closed and empty. Each step suspends. Raises on a nil message.
---@return fun(): any
function SharedChannel:iter() end

-- ============================================================================ primitives
-- Who waits is served first in, first out. Who gives up (lost in a choice, cancelled) is unlinked, and what it
-- was to get goes to the next.

---@class weft.Mutex
local Mutex = {}

---What holding a lock gives. To be closed: `local g <close> = m:lock()` unlocks at the end of the block (Lua 5.4).
---@class weft.Guard
local Guard = {}

---Gives back what this guard stands for, once; later it does nothing, also when somebody has locked again.
function Guard:unlock() end

---One fiber at a time. Not recursive.
---@return weft.Mutex
function weft.mutex() end

---Suspends until it is free. Raises when the calling fiber holds it.
---@return weft.Guard
function Mutex:lock() end

---Its value is the guard. Lost in a choice, it does not hold the mutex.
---@return weft.Op
function Mutex:lock_op() end

---Does not suspend; false if somebody holds it. Raises outside a fiber.
---@return weft.Guard|false
function Mutex:try_lock() end

---Hands it to the first that waits. Raises when the calling fiber does not hold it.
function Mutex:unlock() end

---Calls `f(...)` with the mutex held, and unlocks also after an error, which keeps its traceback. Suspends.
---@generic T
---@param f fun(...): T...
---@param ... any
---@return T ...
function Mutex:with(f, ...) end

---@class weft.RwMutex
local RwMutex = {}

---A lock for one writer (`lock`) or many readers (`rlock`); neither is starved.
---@return weft.RwMutex
function weft.rwmutex() end

---Suspends while anybody else holds it. Raises when the calling fiber holds it, for writing or reading.
---@return weft.Guard
function RwMutex:lock() end

---@return weft.Op
function RwMutex:lock_op() end

---Does not suspend. Raises outside a fiber.
---@return weft.Guard|false
function RwMutex:try_lock() end

---Raises when the calling fiber does not hold it for writing.
function RwMutex:unlock() end

---Calls `f(...)` with it held for writing. Suspends.
---@generic T
---@param f fun(...): T...
---@param ... any
---@return T ...
function RwMutex:with(f, ...) end

---Suspends while a writer holds it or waits. Raises when the calling fiber holds it for writing.
---@return weft.Guard
function RwMutex:rlock() end

---@return weft.Op
function RwMutex:rlock_op() end

---Does not suspend. Raises outside a fiber.
---@return weft.Guard|false
function RwMutex:try_rlock() end

---Gives the last read lock of the calling fiber back. Raises when it has none.
function RwMutex:runlock() end

---Calls `f(...)` with it held for reading. Suspends.
---@generic T
---@param f fun(...): T...
---@param ... any
---@return T ...
function RwMutex:rwith(f, ...) end

---@class weft.Semaphore
local Semaphore = {}

---@param n integer Permits, 0 or more.
---@return weft.Semaphore
function weft.semaphore(n) end

---Suspends until `k` (1) permits are there. A big request at the head is not overtaken by small ones.
---@param k? integer At least 1.
---@return true
function Semaphore:acquire(k) end

---@param k? integer
---@return weft.Op
function Semaphore:acquire_op(k) end

---Does not suspend; false also while others wait.
---@param k? integer
---@return boolean
function Semaphore:try_acquire(k) end

---Gives `k` (1) permits back, or adds as many: whoever releases need not have acquired. Does not suspend.
---@param k? integer
function Semaphore:release(k) end

---@class weft.Cond
local Cond = {}

---Waiting, with a mutex held, until somebody says that something has changed. What has changed is looked at again
---after the wait: `while not ready do cond:wait() end`.
---@param m weft.Mutex|weft.RwMutex An rwmutex is held for writing.
---@return weft.Cond
function weft.cond(m) end

---Gives the mutex back, waits for a signal, and takes the mutex again, also before it raises. Suspends. Raises when the
---calling fiber does not hold the mutex.
---@return true
function Cond:wait() end

---The same as an operation: a choice holds the mutex again when it returns, whichever arm won.
---@return weft.Op
function Cond:wait_op() end

---Wakes the first waiter. The mutex need not be held.
function Cond:signal() end

---Wakes all waiters.
function Cond:broadcast() end

---@class weft.WaitGroup
local WaitGroup = {}

---A count of what is still to be done. Reusable.
---@return weft.WaitGroup
function weft.waitgroup() end

---@param n? integer Default 1; may be negative. Raises when the count would be.
function WaitGroup:add(n) end

---`add(-1)`
function WaitGroup:done() end

---Suspends until the count is zero.
---@return true
function WaitGroup:wait() end

---@return weft.Op
function WaitGroup:wait_op() end

---@class weft.Latch
local Latch = {}

---A count that goes down to zero, once, and stays there.
---@param n integer 0 or more.
---@return weft.Latch
function weft.latch(n) end

---Does not suspend.
---@param n? integer Default 1. Raises when the count would be negative.
function Latch:count_down(n) end

---Suspends until the count is zero.
---@return true
function Latch:wait() end

---@return weft.Op
function Latch:wait_op() end

---@class weft.Barrier
local Barrier = {}

---A meeting of `n` fibers, again and again.
---@param n integer At least 1.
---@return weft.Barrier
function weft.barrier(n) end

---Suspends until n fibers wait here. Reusable. Who is cancelled, or lost in a choice, leaves.
---@return integer place 1 to n, in the order of arrival.
function Barrier:wait() end

---@return weft.Op
function Barrier:wait_op() end

---A function that runs `f` with the arguments of its first call, and gives the same results, or raises the same error,
---each time; others wait for the first. If the fiber that runs f is cancelled the next caller runs it. Suspends.
---@generic T
---@param f fun(...): T...
---@return fun(...): T...
function weft.once(f) end

---@class weft.Oneshot
local Oneshot = {}

---A value that is set once.
---@return weft.Oneshot
function weft.oneshot() end

---Wakes all who wait. Does not suspend. Raises when it is set already.
---@param v any
function Oneshot:set(v) end

---@return boolean
function Oneshot:is_set() end

---Suspends until it is set.
---@return any
function Oneshot:get() end

---@return weft.Op
function Oneshot:get_op() end

---@class weft.Broadcast
local Broadcast = {}

---Every reader gets every message that is sent after it has subscribed; the last `n` are kept for slow ones.
---@param n integer At least 1.
---@return weft.Broadcast
function weft.broadcast(n) end

---Never waits. Raises when it is closed.
---@param v any
function Broadcast:send(v) end

---Readers get what is kept, and then nil, "closed", "closed". Raises when closed already.
function Broadcast:close() end

---@return boolean
function Broadcast:closed() end

---A reader of what is sent from now on. It need not be given back.
---@return weft.BroadcastReader
function Broadcast:subscribe() end

---@class weft.BroadcastReader
local BroadcastReader = {}

---Suspends until there is a message. A reader that was too slow gets nil, "lagged", n: n messages are lost to it.
---@return any v
---@return "lagged"|"closed"|nil message
---@return integer|"closed"|nil n
function BroadcastReader:get() end

---@return weft.Op
function BroadcastReader:get_op() end

---@return boolean done
---@return any ... As `get`.
function BroadcastReader:try_get() end

---`for v in reader:iter() do`: until the close. Each step suspends. Raises on a nil message, and when it lagged.
---@return fun(): any
function BroadcastReader:iter() end

---@class weft.Watch
local Watch = {}

---The latest of a value that changes.
---@param v any
---@return weft.Watch
function weft.watch(v) end

---Wakes all who wait for a change. Does not suspend.
---@param v any
function Watch:set(v) end

---The latest value. Does not suspend.
---@return any
function Watch:get() end

---Suspends until it is set again.
---@return any v
function Watch:changed() end

---@return weft.Op
function Watch:changed_op() end

---A reader that has seen the present value.
---@return weft.WatchReader
function Watch:subscribe() end

---Remembers which value it has seen: it misses values, never the last one.
---@class weft.WatchReader
local WatchReader = {}

---The value; it counts as seen.
---@return any
function WatchReader:get() end

---Suspends until there is a value that it has not seen.
---@return any v
function WatchReader:changed() end

---@return weft.Op
function WatchReader:changed_op() end

---@class weft.LimiterOptions
---@field rate number Tokens a second, above zero; math.huge: no limit.
---@field burst? integer Tokens that it holds, at least 1; default 1.

---@class weft.Limiter
local Limiter = {}

---A bucket of tokens, full at first. Unknown options raise.
---@param opts weft.LimiterOptions
---@return weft.Limiter
function weft.limiter(opts) end

---Suspends until `k` (1) tokens are there, and takes them. Raises when k is more than `burst`.
---@param k? integer
---@return true
function Limiter:wait(k) end

---Lost in a choice, it has taken no token.
---@param k? integer
---@return weft.Op
function Limiter:wait_op(k) end

---Takes the tokens if they are there and nobody waits. Does not suspend. Raises when k is more than `burst`.
---@param k? integer
---@return boolean
function Limiter:try(k) end

---@class weft.PoolOptions
---@field limit? integer Fibers at a time; default: no limit.
---@field errors? "all" Keep going; later errors stand beside the first. Default: the first one cancels the rest.

---@class weft.Pool
local Pool = {}

---Functions that run at most `limit` at a time, in the scope in which the pool is made. Reusable after `wait`. Unknown
---options raise. A failure that no `wait` takes is raised at the end of that scope.
---@param opts? weft.PoolOptions
---@return weft.Pool
function weft.pool(opts) end

---Starts `f(...)` in a fiber. Suspends while `limit` are running.
---@param f fun(...): any
---@param ... any
---@return boolean started False once a function of the pool has failed (unless `errors = "all"`).
function Pool:go(f, ...) end

---Suspends until all have ended. Raises the first error, the others beside it (`weft.error_info`).
---@return any[] results The first result of each, in the order of `go`.
---@return integer n How many, since results may be nil.
function Pool:wait() end

---@return weft.Op
function Pool:wait_op() end

---`f(v, i)` of each, at most `limit` at a time (default: all). The first error cancels the rest and is raised. Suspends.
---@generic T, R
---@param list T[]
---@param f fun(v: T, i: integer): R
---@param opts? { limit?: integer }
---@return R[] results In order.
function weft.map(list, f, opts) end

---`for r in weft.stream_map(iter, f, opts) do`: `f` of each value of an iterator, a channel or anything with `get`, in
---order, at most `limit` ahead of the reader (default: no limit). Each step suspends. The first error cancels the rest
---and is raised in the loop; so does leaving the loop, on Lua 5.4. Raises on a nil result.
---@generic T, R
---@param iter (fun(): T?)|weft.Channel|weft.BroadcastReader
---@param f fun(v: T): R
---@param opts? { limit?: integer }
---@return fun(): R?
function weft.stream_map(iter, f, opts) end

---@class weft.SuperviseOptions
---@field children table<integer|string, fun(s: weft.Scope)> Each runs in a scope of its own; keys that are strings name
---the fibers.
---@field restarts? integer More than so many restarts of any of them (default 3; math.huge: no limit)
---@field within? number in so many seconds (default 5): it gives up, cancels the rest and raises the last error.

---Runs the children, each again when it has failed; one that returns or is cancelled is done. Suspends until all are.
---Unknown options raise.
---@param opts weft.SuperviseOptions
function weft.supervise(opts) end

---Go's contexts: values that say when to stop. Done when cancelled, when the deadline has passed, or when the one that
---it was made from is done.
---@class weft.Context
local Context = {}

---@class weft.context
weft.context = {}

---Never done.
---@return weft.Context
function weft.context.background() end

---As `background`.
---@return weft.Context
function weft.context.todo() end

---A context and the function that cancels it, which may be called again.
---@param parent weft.Context
---@return weft.Context ctx
---@return fun(cause?: any) cancel
function weft.context.with_cancel(parent) end

---@param parent weft.Context
---@param time number A point in time of `weft.now()`.
---@return weft.Context ctx
---@return fun(cause?: any) cancel
function weft.context.with_deadline(parent, time) end

---@param parent weft.Context
---@param seconds number
---@return weft.Context ctx
---@return fun(cause?: any) cancel
function weft.context.with_timeout(parent, seconds) end

---A context in which `key` has this value.
---@param parent weft.Context
---@param key any Not nil.
---@param value any
---@return weft.Context
function weft.context.with_value(parent, key, value) end

---Runs `f(s)` in a scope that is cancelled when `ctx` is done: then nil and what `ctx:err()` says, twice. Suspends.
---@param ctx weft.Context
---@param f fun(s: weft.Scope): ...
---@return any ...
function weft.context.scope(ctx, f) end

---Suspends until it is done.
---@return "cancelled"|"timeout" err
---@return any cause
function Context:done() end

---@return weft.Op
function Context:done_op() end

---nil while it is not done. Does not suspend.
---@return "cancelled"|"timeout"|nil
function Context:err() end

---What was given to cancel, else as `err`.
---@return any
function Context:cause() end

---When it ends at the latest, of `weft.now()`; nil without a deadline.
---@return number? time
function Context:deadline() end

---The value of the nearest context that has the key.
---@param key any
---@return any
function Context:value(key) end

---Values of the calling fiber: `weft.locals.user = "ann"`. A fiber begins with those of its spawner, as they
---are at that moment; what either sets later is its own. `pairs` goes over them on Lua 5.2 and later.
---@type table<any, any>
weft.locals = {}

-- ============================================================================ inspection, tests

---@class weft.inspect
weft.inspect = {}

---@class weft.FiberInfo
---@field id integer
---@field name string?
---@field state weft.FiberStatus
---@field waiting string? What it waits for.
---@field since number? Since when it has waited, of `weft.now()`.
---@field scope string The scope that it lives in, as text.
---@field line string? Where it was spawned; with `WEFT_DEBUG=spawn` the whole chain.
---@field daemon boolean

---Every fiber that has not ended, each behind the one whose scope it lives in. Does not suspend.
---@return weft.FiberInfo[]
function weft.inspect.fibers() end

---The same as text, with tracebacks. Does not suspend.
---@return string
function weft.inspect.dump() end

---@class weft.Counters
---@field runs number Times that a fiber, or a task of the runtime's own, has been resumed.
---@field spawns number Fibers spawned.
---@field polls number Looks at descriptors and the clock;
---@field parks number of which there was nothing else to do.
---@field posts number Wake-ups by other threads.
---@field live number Fibers that have not ended.
---@field backend weft.Backend

---What the running worker has counted; empty outside `weft.run`.
---@return weft.Counters
function weft.inspect.counters() end

---@class weft.BackendInfo
---@field name weft.Backend
---@field features string What it uses of the kernel's facilities, words with spaces between them; may be empty.
---@field fallback? string Why the better backends are not in use: `"io_uring: operation not permitted"`.

---What the running worker waits with; nil outside `weft.run`. `WEFT_DEBUG=reactor` prints the same to stderr.
---@return weft.BackendInfo?
function weft.inspect.backend() end

---@class weft.TestOptions
---@field seed? integer Default: one of its own, which a failure reports.
---@field virtual_time? boolean Default true: the clock jumps to the next timer when all wait.
---@field backend? weft.Backend

---Runs `f` in a runtime of its own (also inside a fiber) with a random schedule that the seed decides. Raises f's
---error with the seed that replays it: at the end of a string, as `weft.error_info(e).seed` otherwise.
---@param opts weft.TestOptions
---@param f fun(...): ...
---@param ... any
---@return any ...
function weft.test(opts, f, ...) end

---`weft.test` under the seeds 1 to `n`; raises the first failure.
---@param f fun()
---@param n? integer Default 1000.
---@return integer n
function weft.explore(f, n) end

-- ============================================================================ sockets

---@class weft.net
weft.net = {}

---@class weft.net.tcp
weft.net.tcp = {}

---@class weft.ListenOptions
---@field backlog? integer Connections that may wait to be accepted, at least 1; default 4096.
---@field reuse_port? boolean SO_REUSEPORT: several listeners share the port.
---@field v6only? boolean An IPv6 listener takes no IPv4 connections.

---Suspends only to resolve a name. SO_REUSEADDR is set. Port 0 takes a free one (`address`).
---@param host string A name, an address, or "*": all addresses of this machine.
---@param port integer 0 to 65535.
---@param opts? weft.ListenOptions Unknown options raise.
---@return weft.Listener?
---@return string? message
---@return weft.Code? code "EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "ENOTFOUND", ...
function weft.net.tcp.listen(host, port, opts) end

---@class weft.ConnectOptions
---@field nodelay? boolean TCP_NODELAY; default true.

---Names are resolved on a helper thread, their addresses tried one after another. TCP_NODELAY is on. Suspends.
---@param host string A name or an address.
---@param port integer
---@param opts? weft.ConnectOptions Unknown options raise.
---@return weft.Stream?
---@return string? message
---@return weft.Code? code "ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "ENOTFOUND", ...
function weft.net.tcp.connect(host, port, opts) end

---Lost in a choice, it closes its socket.
---@param host string
---@param port integer
---@param opts? weft.ConnectOptions
---@return weft.Op
function weft.net.tcp.connect_op(host, port, opts) end

---To be closed.
---@class weft.Listener
local Listener = {}

---Suspends until somebody connects. nil, "closed", "closed" when the listener is closed meanwhile.
---@return weft.Stream?
---@return string? message
---@return weft.Code? code "closed", "EMFILE", ...
function Listener:accept() end

---Lost in a choice, it loses no connection.
---@return weft.Op
function Listener:accept_op() end

---Where it listens.
---@return string host An address.
---@return integer port
function Listener:address() end

---Wakes those who wait. Raises when closed already, as all its methods do.
function Listener:close() end

---To be closed.
---@class weft.Stream
local Stream = {}

---Suspends until there are bytes. At the end just nil; when the stream is closed meanwhile nil, "closed", "closed".
---@param max? integer Bytes at most, at least 1.
---@return string? bytes
---@return string? message
---@return weft.Code? code "ECONNRESET", "closed", ...
function Stream:read_some(max) end

---Lost in a choice, it loses no byte.
---@param max? integer
---@return weft.Op
function Stream:read_some_op(max) end

---Suspends until all of `s` is sent. Writes of several fibers are not mixed.
---@param s string|number|weft.Buffer As it is at the call.
---@return true?
---@return string? message
---@return weft.Code? code "EPIPE", "ECONNRESET", "closed", ...
function Stream:write(s) end

---Happens when the stream takes charge of all of `s`; a lost one sent nothing.
---@param s string|number|weft.Buffer As it is at this call.
---@return weft.Op
function Stream:write_op(s) end

---Ends one direction or both: after "w" the peer reads to the end.
---@param how "r"|"w"|"rw"
---@return true?
---@return string? message
---@return weft.Code? code
function Stream:shutdown(how) end

---This end's address.
---@return string host
---@return integer port
function Stream:address() end

---The other end's address.
---@return string host
---@return integer port
function Stream:peer_address() end

---Wakes those who wait. Raises when closed already, as all its methods do.
function Stream:close() end

---@class weft.SocketOptions
---@field family? "ip4"|"ip6"|"unix" Default "ip4".
---@field type? "stream"|"datagram" Default "stream".

---A socket of the system's, for what `weft.net.tcp` does not do: datagrams, paths, options. Does not suspend.
---@param opts? weft.SocketOptions Unknown options raise.
---@return weft.Socket?
---@return string? message
---@return weft.Code? code "EMFILE", "EAFNOSUPPORT", ...
function weft.net.socket(opts) end

---Whether a text is an address; names are resolved by `weft.net.tcp.connect` alone. Does not suspend.
---@param host string
---@return string? address As the system writes it; nil: it is a name.
---@return "ip4"|"ip6"|nil family
function weft.net.parse_address(host) end

---@class weft.Interface
---@field name string
---@field family "ip4"|"ip6"
---@field address string
---@field netmask string?
---@field broadcast string?
---@field peer string? Of a link between two points, in place of broadcast.
---@field up boolean
---@field running boolean
---@field loopback boolean
---@field point_to_point boolean
---@field multicast boolean

---The addresses of this machine's interfaces, one entry each. Does not suspend.
---@return weft.Interface[]?
---@return string? message
---@return weft.Code? code
function weft.net.interfaces() end

---Where an address is asked for it is a host, "*" or an address, and a port; for "unix" a path (one that begins with
---a zero byte makes no file). To be closed.
---@class weft.Socket
local Socket = {}

---@param host string
---@param port? integer
---@return true?
---@return string? message
---@return weft.Code? code "EADDRINUSE", "EACCES", ...
function Socket:bind(host, port) end

---@param backlog? integer Default: the system's most.
---@return true?
---@return string? message
---@return weft.Code? code
function Socket:listen(backlog) end

---Suspends until somebody connects.
---@return weft.Socket?
---@return string? message
---@return weft.Code? code
function Socket:accept() end

---Lost in a choice, it loses no connection.
---@return weft.Op
function Socket:accept_op() end

---Suspends until it is connected. A datagram socket just takes the address for its peer.
---@param host string
---@param port? integer
---@return true?
---@return string? message
---@return weft.Code? code
function Socket:connect(host, port) end

---Lost in a choice, the attempt goes on: perform it again, or close the socket.
---@param host string
---@param port? integer
---@return weft.Op
function Socket:connect_op(host, port) end

---Suspends until there is something. A stream gives nil alone at its end; a datagram is one, cut at `max`.
---@param max? integer Bytes at most, at least 1.
---@return string? bytes
---@return string? message
---@return weft.Code? code
function Socket:recv(max) end

---@param max? integer
---@return weft.Op
function Socket:recv_op(max) end

---As `recv`, with where it came from; not for a connected stream.
---@param max? integer
---@return string? bytes
---@return string? host Or path, or message.
---@return integer|weft.Code|nil port Or code.
function Socket:recvfrom(max) end

---@param max? integer
---@return weft.Op
function Socket:recvfrom_op(max) end

---Suspends while nothing can be sent. A stream takes what it has room for.
---@param bytes string|number|weft.Buffer
---@return integer? n Bytes that were sent.
---@return string? message
---@return weft.Code? code
function Socket:send(bytes) end

---@param bytes string|number|weft.Buffer
---@return weft.Op
function Socket:send_op(bytes) end

---@param bytes string|number|weft.Buffer
---@param host string
---@param port? integer
---@return integer? n
---@return string? message
---@return weft.Code? code
function Socket:sendto(bytes, host, port) end

---@param bytes string|number|weft.Buffer
---@param host string
---@param port? integer
---@return weft.Op
function Socket:sendto_op(bytes, host, port) end

---@param how "r"|"w"|"rw"
---@return true?
---@return string? message
---@return weft.Code? code
function Socket:shutdown(how) end

---Wakes those who wait. Raises when closed already, as its methods do.
function Socket:close() end

---@return boolean
function Socket:closed() end

---@return string? host Or path; "" for a socket without one.
---@return integer|string|nil port Or message.
---@return weft.Code? code
function Socket:address() end

---@return string? host
---@return integer|string|nil port
---@return weft.Code? code "ENOTCONN"
function Socket:peer_address() end

---Reads, or with a value sets, an option of the system's.
---@param name "broadcast"|"debug"|"dont_route"|"error"|"keepalive"|"max_segment"|"nodelay"|"oob_inline"|"receive_buffer"|"receive_low"|"receive_timeout"|"reuse_address"|"reuse_port"|"send_buffer"|"send_low"|"send_timeout"|"v6only"
---@param value? boolean|number Time-outs are seconds.
---@return boolean|number|nil value true when set.
---@return string? message
---@return weft.Code? code
function Socket:option(name, value) end

---Its descriptor, which stays the socket's.
---@return integer
function Socket:getfd() end

-- ============================================================================ descriptors

---For waiting until a descriptor is ready, whoever opened it. It is never closed here. Does not suspend.
---@param handle integer|file*|weft.Stream|weft.Listener|weft.Socket|weft.Pollable|table|userdata A descriptor, a Lua file, an object of weft's, or one with a method `pollfd` or `getfd` that gives one of these.
---@return weft.Pollable?
---@return string? message
---@return weft.Code? code "EBADF", "closed"
function weft.pollable(handle) end

---One direction of it may be waited for by many at once. To be closed.
---@class weft.Pollable
local Pollable = {}

---Suspends until a read would not wait: there is something, or the end, or an error. A Lua file is also readable
---while it has read ahead. nil, "closed", "closed" when the pollable or its object is closed.
---@return true?
---@return string? message
---@return weft.Code? code "closed", "EBADF", "EMFILE", ...
function Pollable:readable() end

---@return weft.Op
function Pollable:readable_op() end

---Suspends until a write would not wait, or there is an error.
---@return true?
---@return string? message
---@return weft.Code? code
function Pollable:writable() end

---@return weft.Op
function Pollable:writable_op() end

---Wakes those who wait by it. The descriptor stays open. Raises when closed already.
function Pollable:close() end

---Whether it, or the object that it stands for, was closed.
---@return boolean
function Pollable:closed() end

---@return integer? descriptor
---@return string? message
---@return weft.Code? code
function Pollable:getfd() end

-- ============================================================================ foreign runtimes

---@class weft.foreign
weft.foreign = {}

---@class weft.ForeignOptions
---@field max_queue? integer Requests that may wait until the library takes them; default 65536.
---@field is_global? boolean Load its symbols for all to see, as runtimes that load modules of their own want it.
---@field unpin? boolean Unload the runtime when nobody refers to it any more, instead of keeping it.
---@field timeout? number Seconds for each request, until the end of an answer in parts.

---A runtime that a library in another language has started. Any name is a request: `ok, res = rt:name(req)`. It
---suspends, and returns true and the answer (nil if there is none); or false, the library's integer and its
---error; or false and at once "queue full" or "unloaded", and false, "timeout" after the time of the option. req is
---a string or a buffer, or nil. The library learns the name and when the caller has left. An answer that came in
---parts is put together; of one that failed after some parts there is the error alone.
---
---`rt:name_op(req)` is its operation: each perform asks anew, and a lost one cancels. `rt:name_parts(req)` returns
---its answer in parts (weft.Parts) as they come, or false and why. `rt(req)` is a request without a name.
---@class weft.Foreign
---@field [string] fun(self: weft.Foreign, req?: string|weft.Buffer): boolean, any, string?
---@overload fun(req?: string|weft.Buffer): boolean, any, string?
local Foreign = {}

---Loads a library and starts a runtime in it; the same one for the same library and configuration. To ask for another
---timeout or max_queue than it has raises. It runs the library's init function, and blocks meanwhile. To be called after a fork, not before.
---@param lib string A path; or a file name or "demo" for libdemo.so, in LD_LIBRARY_PATH, package.cpath, the system.
---@param cfg? string What its init function is given. Without zero bytes.
---@param opts? weft.ForeignOptions
---@return weft.Foreign?
---@return string? message
---@return string? code "ENOENT", "ENOEXEC", "no init", "init failed", "ENOMEM"
---@return integer? status What init has returned.
function weft.foreign.load(lib, cfg, opts) end

---Takes no more requests. Those that wait are still answered; then the library is told to end. Returns at once; the
---next load starts another runtime. Its other name is __unload. The library stays mapped.
---@return true
function Foreign:unload() end

---An answer that comes in parts.
---@class weft.Parts
local Parts = {}

---Suspends until there is a part. At the end nil, or nil, message and the library's integer if it has failed.
---@return string? part
---@return string? message nil, "closed", "closed" if it was closed meanwhile; nil, "timeout", "timeout" after the
---time of the option.
---@return integer|weft.Code|nil status
function Parts:read() end

---@return weft.Op
function Parts:read_op() end

---The parts, for a loop. Raises the message of a failure.
---@return fun(self: weft.Parts): string?
---@return weft.Parts
function Parts:iter() end

---Cancels what has not come yet. May be called again.
---@return true
function Parts:close() end

---@class weft.PythonOptions
---@field config? string What the module's init function is given.
---@field function? string The one function that answers, whatever the name; default: the one of that name.
---@field path? string|string[] Folders to look for modules in, before Python's own. A file is one module for all who
---load it; files of one name in two folders are two.
---@field venv? string A virtual environment, whose packages it may import.
---@field python? string Which Python, for the first runtime: "3.12" ("3" is any), an interpreter's path, or a
---libpython's.
---@field threads? integer How many plain functions run at once; default 4.
---@field max_queue? integer As of foreign.load.
---@field timeout? number As of foreign.load.

---A Python module as a runtime: rt:name(req) calls its function name(request: bytes | None), or the method of the
---object that its init(config) has made. It may return bytes, str or None, be a generator, or async. One interpreter
---serves all runtimes of the process. Errors and results as of foreign.load.
---@param module string Its name, as import takes it.
---@param opts? weft.PythonOptions
---@return weft.Foreign?
---@return string? message With the traceback.
---@return string? code
---@return integer? status
function weft.foreign.python(module, opts) end

---@class weft.JavaOptions
---@field config? string What the constructor is given.
---@field function? string The one method that answers, whatever the name; default: the one of that name.
---@field classpath? string|string[] Folders and jars; default: the variable CLASSPATH.
---@field java_home? string The JDK or JRE, for the first runtime; default: JAVA_HOME, or that of java on PATH.
---@field flags? string|string[] Of the JVM, for the first runtime: "-Xmx64m". It has -Xrs in any case.
---@field threads? integer How many methods run at once; default 4.
---@field max_queue? integer As of foreign.load.
---@field timeout? number As of foreign.load.

---A Java class as a runtime: rt:name(req) calls its public method name(byte[]), (String) or (), of an object made
---with the configuration. It may return byte[], String or null, a CompletionStage, a Stream, Iterator or Iterable.
---One JVM serves all runtimes of the process, each with a class loader of its own. Errors and results as of
---foreign.load.
---@param class string Its full name.
---@param opts? weft.JavaOptions
---@return weft.Foreign?
---@return string? message With the stack trace.
---@return string? code
---@return integer? status
function weft.foreign.java(class, opts) end

---@class weft.NodeOptions
---@field config? string What the module's init function is given.
---@field function? string The one function that answers, whatever the name; default: the one of that name.
---@field path? string|string[] Folders to look for modules and node_modules in.
---@field node? string The node program, for a process of its own; default: libnode, else that on PATH.
---@field flags? string|string[] Of node, for a process of its own: "--max-old-space-size=64".
---@field max_queue? integer As of foreign.load.
---@field timeout? number As of foreign.load.

---A Node module as a runtime: rt:name(req) calls its exported function name(Buffer or null, call), or the method of the
---object that its init(config) has made. It may return a string, a buffer or nothing, a promise or an iterator. It runs
---on a thread of this process where weft was built with libnode, unless node or flags are given; else in a node process
---of its own. Errors and results as of foreign.load.
---@param module string A package's or module's name, or a path.
---@param opts? weft.NodeOptions
---@return weft.Foreign?
---@return string? message With the stack trace.
---@return string? code
---@return integer? status
function weft.foreign.node(module, opts) end

---Bytes outside the collector; a value: no change shows in a slice, or in a request that was sent. (A library may
---write into the request itself, see docs/foreign.md; that shows in no other buffer.) `#b` is how many there are,
---tostring(b) is a string of them.
---@class weft.Buffer
---@operator len: integer
local Buffer = {}

---@param n? integer|string Bytes that it has room for, or that it begins with.
---@return weft.Buffer
function weft.buffer(n) end

---@param ... string|number|weft.Buffer
---@return weft.Buffer self
function Buffer:append(...) end

---The bytes from first to last as a buffer, as string.sub counts. They are shared until one of both changes.
---@param first? integer
---@param last? integer
---@return weft.Buffer
function Buffer:slice(first, last) end

---The same as a string.
---@param first? integer
---@param last? integer
---@return string
function Buffer:sub(first, last) end

---No bytes any more; the room stays.
---@return weft.Buffer self
function Buffer:clear() end

---Appends what can be read at once. Suspends until there is something. At the end nil.
---@param stream weft.Stream
---@param max? integer Bytes at most.
---@return integer? n
---@return string? message
---@return weft.Code? code
function Buffer:read_into(stream, max) end

---An integer. Eight unsigned bytes wrap, as in string.unpack; without 64-bit integers, above 2^53 raises.
---@param format string "<" little-endian, ">" big-endian, or neither; "i", or "I" unsigned; bytes from 1 to 8: "<i4".
---@param offset integer From 1; from the end if negative.
---@return integer
function Buffer:get(format, offset) end

---Over bytes that are there, or right behind them.
---@param format string
---@param offset integer
---@param value integer Refused if it does not fit.
---@return weft.Buffer self
function Buffer:put(format, offset, value) end

-- ============================================================================ embedding

---@class weft.embed
weft.embed = {}

---Attaches a runtime to this state, outside any fiber: functions can be spawned from then on, and run whenever it
---is driven, by `step`, `yield` or `weft.run`. Does nothing if it is attached. The others do this when they need it.
function weft.embed.attach() end

---Cancels everything that runs in the attached state, waits for its end, and gives the runtime back.
function weft.embed.detach() end

---A descriptor for a main loop to watch, the same at every call: readable when a native thread waits, a timer is due,
---or the kernel has something for a fiber; then call `step`. Neither read it nor close it. While there is one, nothing
---counts as a deadlock.
---@return integer? descriptor nil: this backend has none (`"EOPNOTSUPP"`)
---@return string? message
---@return string? code
function weft.embed.event_fd() end

---Whether there is something to do, blocking the thread for at most so long until there is; lets nobody in.
---@param seconds? number for ever
---@return boolean
function weft.embed.wait_events(seconds) end

---Lets others in: returns when a native thread has been in the state, or a handler that one has posted to has run, or
---after the time. `yield(0)` costs no system call when nobody waits. In a fiber it waits as any operation.
---@param seconds? number for ever
---@return boolean served
function weft.embed.yield(seconds) end

---One turn: lets waiting threads in, runs what is ready, and takes what the kernel has. Raises the first failure of
---the fibers spawned outside any other.
---@param seconds? number How long to wait for something to do; 0.
---@return boolean ran
---@return number? deadline when the next turn is due, as `weft.now()` counts; nil: no timer
function weft.embed.step(seconds) end

---f is called, in a fiber, for each handler of native threads that fails; without one it fails the root scope.
---@param f? fun(error: any, traceback: string)
function weft.embed.on_error(f) end

return weft
