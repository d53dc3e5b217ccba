// SPDX-License-Identifier: MIT
// state: what all functions of one Lua state share. It sits in a userdata that is the first upvalue
// of each of our functions; the second is the table of anchors: metatables and other Lua values
// that live as long as the state does.
#pragma once

#include <vector>

#include "lua/compat.hpp"
#include "weft/core/forks.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::foreign {
class site;
}

namespace weft::inline v0::core {
class loop_descriptor;
struct task_scope;
}  // namespace weft::inline v0::core

namespace weft::inline v0::lua {

struct fiber;
struct scope_object;
struct shared_arm;
struct shared_state;

/// Places in the table of anchors.
enum anchor : int {
  anchor_state = 1,
  anchor_threads,    // Lua threads of fibers, by slot
  anchor_scopes,     // open scopes
  anchor_done,       // clean-up functions of base_op waits
  anchor_extras,     // fiber -> its results, failure, name, reason (weak keys)
  anchor_cancelled,  // metatables of the error values
  anchor_timeout,
  anchor_deadlock,
  anchor_locals,   // weft.locals of the code outside any fiber
  anchor_waiting,  // coroutines of users that are in the middle of a wait (weak keys)
  anchor_choices,  // choices that a loop may build again (weak values)
  anchor_fiber_mt,
  anchor_scope_mt,
  anchor_operation_mt,
  anchor_channel_mt,
  anchor_listener_mt,
  anchor_stream_mt,
  anchor_shared_channel_mt,
  anchor_parts_mt,  // of a foreign answer that comes in parts
  anchor_buffer_mt,
  anchor_socket_mt,
  anchor_pollable_mt,
  anchor_suspension_mt,
  anchor_foreign_mt,       // a runtime's handle
  anchor_foreign_call_mt,  // owns a call that an operation waits for
  anchor_object_mt,
  anchor_shared,   // shared objects that are in this state (weak values)
  anchor_report,   // lua/weft/report.lua's functions
  anchor_raising,  // of these, the message handler
  anchor_callers,  // PUC 5.1: coroutine of a weft.pcall -> the one that called it
  anchor_host,     // lua/weft/host.lua, in a state that a C++ program has opened
  anchor_native,   // lua/weft/native.lua's function
  anchor_driver,   // the Lua thread whose stack is the frame of an attached state
};

/// A Lua thread ready for the next fiber, with its slot in anchor_threads.
struct spare_thread {
  lua_State* co;
  unsigned slot;
};

/// What a run watches its fibers for; zero: not.
struct watch_options {
  double watchdog = 0;  // seconds a fiber may run without waiting before it is named
  double preempt = 0;   // seconds before it has to go behind the others
  bool any() const noexcept { return watchdog > 0 || preempt > 0; }
};

/// What of a state belongs to one attachment to a worker (attach.hpp). A run inside another
/// (weft.test in a fiber) puts the outer one aside, so it is copied as it is.
struct attachment {
  lua_State* L = nullptr;          // drives: its frame holds the anchors; lua_resume's `from`
  fiber* current = nullptr;        // the fiber that is running
  core::worker* worker = nullptr;  // null: not attached
  scope_object* root = nullptr;    // where a spawn outside any fiber goes
  lua_State* inner = nullptr;      // the coroutine of a user's that our resume is running
  watch_options watch;
  foreign::site* foreign = nullptr;  // from the first call of a foreign library on
  bool lasting = false;              // until a detach, whatever runs meanwhile
  bool owns_worker = false;  // made for this attachment; else its owner drives it, or a run outside
  unsigned forks = 0;        // of the process then: a child finds an inert runtime
};

/// The kind of the fibers of one state: from a task to its state in one load, and from one fiber to
/// the next of the same state in one comparison, however many states share a worker.
struct fiber_kind : core::task_kind {
  state* of;
};

struct state : attachment {
  state() noexcept;
  ~state();
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  const fiber_kind kind;
  const fiber_kind
      shared_kind;  // of a fiber in a wait that other threads may complete (shared.hpp)
  core::task_scope* tasks = nullptr;  // of the C++ tasks that its fibers wait for (native.cpp)
  shared_arm* settling = nullptr;  // arms of such waits that are done, until the result is pushed
  std::vector<spare_thread> spare;
  unsigned threads = 0;     // slots in anchor_threads
  unsigned fibers = 0;      // ids given
  unsigned live = 0;        // fibers that have not ended
  fiber* ending = nullptr;  // whose epilogue begins
  bool ending_ok = false;
  bool driven = false;   // some thread is in its worker's loop
  bool closing = false;  // the variables of a failed body are being closed
  // Userdata known to be channels, by address: their __gc takes them out before the memory can be
  // anything else. A hit saves the look at the metatable.
  static constexpr std::size_t known_size = 64;
  const void* known_channels[known_size] = {};
  // First arm of the choice at each place of anchor_choices; that one may be gone.
  static constexpr std::size_t built_size = 64;
  const void* built_choices[built_size] = {};
  unsigned waits_inside = 0;    // coroutines of users that are in the middle of a wait
  bool notes_spawns = false;    // a spawn has more to do: one of these two, or a fiber has locals
  bool trace_spawn = false;     // WEFT_DEBUG=spawn
  bool outside_locals = false;  // weft.locals was set outside any fiber
  bool luajit = false;
  int (*isyieldable)(lua_State*) = nullptr;  // LuaJIT has it, 5.1 has not
  core::nanoseconds running_since = 0;       // the running fiber, while watched
  bool named = false;                        // by the watchdog, since it was resumed
  shared_state* shared = nullptr;  // what native threads hold of it (gate.hpp), once any does
  core::loop_descriptor* loop = nullptr;  // weft.embed.event_fd, once called (embed.cpp)
  char homes[4][256] = {};  // what sources of functions that are not the user's begin with
  const void* metatables[anchor_driver + 1] = {};  // lua_topointer of those in the anchors

  // Where the frame of the driving thread keeps what the loop needs without upvalues (attach.hpp).
  static constexpr int root_index = 1;
  static constexpr int threads_index = 2;
  static constexpr int report_index = 3;
  static constexpr int compact_index = 4;
  static constexpr int epilogue_index = 5;
  static constexpr int deliver_index = 6;
  static constexpr int frame_size = 6;

  core::worker& at() noexcept { return *worker; }
};

/// Whether the process that this one was forked from has attached it.
inline bool is_inherited(const attachment& s) noexcept {
  return s.forks != core::forks_of_process();
}

/// In the registry, for hooks: the functions of lua/weft/report.lua.
inline constexpr const char* report_key = "weft.report";

inline constexpr int state_upvalue = 1;
inline constexpr int anchors_upvalue = 2;

/// The Lua thread that the fiber loop of this OS thread is running, and its state: the short way
/// to it. L is null while none runs, so it never outlives the thread. initial-exec: one load.
struct running_thread {
  lua_State* L = nullptr;
  state* s = nullptr;
};
extern thread_local constinit running_thread running [[gnu::tls_model("initial-exec")]];

/// The state, where the running function is not one of ours; null: weft is not loaded in it.
state* find_state(lua_State* L);

inline state& state_of(lua_State* L) {
  if (running.L == L) [[likely]]
    return *running.s;
  return *static_cast<state*>(lua_touserdata(L, lua_upvalueindex(state_upvalue)));
}
/// Pushes an anchored value.
inline void push_anchor(lua_State* L, anchor a) {
  lua_rawgeti(L, lua_upvalueindex(anchors_upvalue), a);
}
/// Fills the table on top with functions that have our two upvalues; for use in module.cpp's open
/// functions, whose own upvalues they are.
void add_functions(lua_State* L, const luaL_Reg* functions);
/// Pushes one such function, which no table holds.
void push_internal(lua_State* L, lua_CFunction f);
/// Likewise where the running function is not one of ours. False: weft is not loaded in this state.
bool push_function(lua_State* L, lua_CFunction f);
/// A metatable with these methods in __index, anchored; leaves nothing on the stack.
void add_type(lua_State* L, anchor a, const char* name, const luaL_Reg* methods,
              const luaL_Reg* metamethods);

}  // namespace weft::inline v0::lua
