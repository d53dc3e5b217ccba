// SPDX-License-Identifier: MIT
// fiber: a Lua thread that a worker runs. The record is the body of the handle's userdata. While
// the fiber lives, anchor_threads holds three values for its slot: the Lua thread, the handle, and
// the function that spawned it. What a wait delivers is pushed straight onto the stack of `at`, the
// innermost coroutine that waits, by whoever completes it; nothing goes through the registry.
#pragma once

#include "lua/arguments.hpp"
#include "lua/state.hpp"
#include "weft/core/scope.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::lua {

struct fiber : core::scoped_task {
  explicit fiber(const fiber_kind& k) noexcept : core::scoped_task(k) {}

  // What every switch touches comes first, behind the run queue's part of the task.
  lua_State* co = nullptr;         // null once it has ended
  lua_State* at = nullptr;         // where it waits: co, or a coroutine of the user's inside it
  const char* why = nullptr;       // what it waits for
  std::uint16_t offered = 0;       // values that its put arms have left on top of the stack of `at`
  bool published = false;          // begun to wait: records may be linked, or were refused a yield
  bool in_wait = false;            // it yields to the scheduler, not to a resume of the user's
  std::uint16_t delivered = 0;     // values that a suspension's complete has left there
  std::uint16_t raises : 10 = 0;   // cancellations raised in a row, up to stubborn_raises
  bool many_done : 1 = false;      // see done
  bool has_defers : 1 = false;     // weft.defer
  bool has_locals : 1 = false;     // weft.locals, in its extras
  bool has_extras : 1 = false;     // 5.1: its environment is its own
  bool exposed : 1 = false;        // coroutine.running handed the thread out
  bool keeps_failure : 1 = false;  // async: a failure waits for a join
  bool posted : 1 = false;         // runs an event of a native thread's (gate.hpp)
  core::wait_record record;        // the arm of a wait for one thing
  core::wait_record* arms = nullptr;  // of a choice: a block of the worker's slab
  core::list<core::wait_record> joiners;
  std::uint32_t arm_count = 0;
  std::uint32_t slot = 0;
  std::int32_t line = 0;  // of the spawn
  std::int32_t done = 0;  // in anchor_done: the clean-up function of its wait, or many_done

  bool ended() const noexcept { return state >= core::task_state::done; }
};

/// Places of a slot in anchor_threads.
inline int thread_place(unsigned slot) { return static_cast<int>(3 * slot + 1); }
inline int handle_place(unsigned slot) { return static_cast<int>(3 * slot + 2); }
inline int spawner_place(unsigned slot) { return static_cast<int>(3 * slot + 3); }

/// The fiber at arg, or null.
inline fiber* fiber_at(lua_State* L, state& s, int arg) {
  return static_cast<fiber*>(userdata_of(L, s, arg, anchor_fiber_mt));
}

/// Reasons to wait that inspect.cpp knows by address: what is waited for is the record's place.
inline constexpr char join_waits_for[] = "a fiber to end";
inline constexpr char drained_waits_for[] = "the children of its scope";

/// Pushes the handle of a fiber that lives; for our functions.
void push_handle(lua_State* L, const fiber& f);

/// Raises the error of a wait that is not in the running fiber: it names the cure.
[[noreturn]] void refuse_wait(lua_State* L, state& s, const char* function);

/// The running fiber, or an error.
inline fiber& running_fiber(lua_State* L, state& s, const char* function) {
  fiber* f = s.current;
  if (!f || (L != f->co && L != s.inner)) [[unlikely]]
    refuse_wait(L, s, function);
  return *f;
}

/// Starts the function and arguments on top of L (nargs of them) as a child of `home`; pops them
/// and pushes the handle.
fiber& spawn(lua_State* L, state& s, core::scope& home, int nargs, bool daemon);

/// Pushes the function that begins a fiber's epilogue, for the frame that drives.
void push_epilogue(lua_State* L);

/// Pushes what a fiber has left behind (lua/weft/report.lua): nil, or a table of its results, name,
/// failure and reason; with `make`, never nil.
void push_extras(lua_State* L, int handle, bool make);

/// weft.locals: f begins with those of the running fiber.
void inherit_locals(lua_State* L, state& s, fiber& f);

/// While f waits, or is about to, for what other threads may complete (shared.hpp).
inline bool is_shared(const fiber& f, const state& s) noexcept { return f.kind == &s.shared_kind; }

/// Takes back whatever the last wait left published. Of the running fiber: what a wait left whose
/// yield was refused (in_wait is still set then), or whose publishing raised.
void retract_all(fiber& f, state& s) noexcept;
inline void retract(fiber& f, state& s) noexcept {
  if (f.published || f.in_wait) [[unlikely]]
    retract_all(f, s);
}
/// Begins a wait all of whose completers are at home.
inline void begin(fiber& f, bool deaf = false) noexcept {
  f.begin_plain();
  f.deaf = deaf;
  f.published = true;
}

/// False where the Lua knows that a yield would fail: a C function is in between.
inline bool may_yield(lua_State* L, [[maybe_unused]] const state& s) {
#if LUA_VERSION_NUM >= 503
  return lua_isyieldable(L);
#elif LUA_VERSION_NUM == 501
  return !s.isyieldable || s.isyieldable(L);
#else
  (void)L;
  return true;
#endif
}
/// Takes back what was published or queued, and raises an error that names the function in between.
[[noreturn]] void refuse_yield(lua_State* L, state& s, fiber& f);

/// Suspends the running fiber, which is either published or ready again; `offered` values on top
/// stay where partners find them. On 5.1 the status for the frame is below them: push_status
/// before.
[[gnu::always_inline]] inline int park(lua_State* L, state& s, fiber& f, const char* why,
                                       int offered, continuation next) {
  if (!may_yield(L, s)) [[unlikely]]
    refuse_yield(L, s, f);
  f.at = L;
  f.in_wait = true;
  f.why = why;
  f.offered = static_cast<std::uint16_t>(offered);
  if (f.state == core::task_state::running) {
    f.state = core::task_state::parked;
    f.since = static_cast<std::uint32_t>(s.at().coarse_now() / 1'000'000);
  }
  return yield(L, s, has_continuations ? offered : offered + 1, next);
}

/// 5.1: the first result of what is about to yield. simple: on a plain wake-up the values that
/// follow are the results.
inline void push_status(lua_State* L, bool simple) {
  if constexpr (!has_continuations) lua_pushboolean(L, simple);
}

/// Goes behind the other ready tasks.
[[gnu::always_inline]] inline int reschedule(lua_State* L, state& s, fiber& f, bool simple,
                                             continuation next) {
  s.at().ready(f);
  push_status(L, simple);
  return park(L, s, f, "the run queue", 0, next);
}

/// Pushes an error value for the cancellation of f and raises it.
[[noreturn]] void raise_cancelled(lua_State* L, state& s, fiber& f);

/// Whether a yield is known to be possible here.
bool can_yield(lua_State* L, const state& s);

}  // namespace weft::inline v0::lua
