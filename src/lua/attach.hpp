// SPDX-License-Identifier: MIT
// Attaching a state to a worker. While it is attached there is a root scope, so functions can be
// spawned; they run whenever the worker is driven: by weft.run and weft.embed, which drive one that
// the state owns, or by the worker's own loop, when it belongs to somebody else (a C++ runtime).
// Any number of states may share a worker, side by side with C++ tasks.
//
// Fibers end, and are reported, outside any function of ours, where there are no upvalues. So the
// thread that drives (attachment::L) keeps what that needs at fixed places of its stack, the frame:
// the one that weft.run was called in, or a Lua thread of its own that nothing ever resumes.
#pragma once

#include "lua/embed.hpp"
#include "lua/gate.hpp"
#include "lua/scope.hpp"

namespace weft::inline v0::lua {

/// How a state's own worker is made.
struct worker_options {
  const char* backend = nullptr;  // null: WEFT_BACKEND, or else the best one
  bool seeded = false;
  std::uint64_t seed = 0;
  bool virtual_time = false;
};

/// A new root scope, and the frame on top of L, state::frame_size values of which the scope is the
/// lowest. May raise; nothing has been attached yet.
scope_object& push_frame(lua_State* L, state& s);

/// Attaches s to w, from here on and until end_attachment; `driver` has the frame at its bottom.
/// Returns what it was attached to before, which is put aside.
attachment begin_attachment(state& s, lua_State* driver, core::worker& w, bool owns_worker,
                            scope_object& root) noexcept;
/// Begins one with a worker of its own. Null and a message: no such backend, or no memory.
const char* begin_own_attachment(state& s, lua_State* driver, const worker_options& options,
                                 scope_object& root, attachment& outer) noexcept;
/// Ends it: the root is empty. Ends the worker if it is its own.
void end_attachment(lua_State* L, state& s, const attachment& outer) noexcept;

/// In the child of a fork, between two fibers: leaves what the parent's process has attached, and
/// what its threads hold of s. They stay in memory as they are, locks held by nobody and fibers
/// that never run, but for descriptors; s is as if it had never been attached.
void forget_parent(state& s) noexcept;

/// Attaches s for good, outside any run, with a frame of its own: to w, on w's thread, or (null) to
/// a worker of its own. Raises if there is no memory or no reactor. For our functions.
void attach(lua_State* L, state& s, core::worker* w);
/// Takes that back. The root is empty.
void detach(lua_State* L, state& s);

/// Makes the state's worker this OS thread's, and no fiber its running one, for as long as it
/// drives.
class driving {
 public:
  explicit driving(state& s) noexcept
      : home_(s), worker_(s.at()), outer_(running), was_driven_(s.driven) {
    running.L = nullptr;
    s.driven = true;
    if (s.shared) s.shared->settle_here();
    end_rest(s);
  }
  ~driving() {
    begin_rest(home_);
    home_.driven = was_driven_;
    running = outer_;
  }
  driving(const driving&) = delete;
  driving& operator=(const driving&) = delete;

 private:
  state& home_;
  const core::worker::driving worker_;
  const running_thread outer_;
  const bool was_driven_;
};

}  // namespace weft::inline v0::lua
