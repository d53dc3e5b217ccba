// SPDX-License-Identifier: MIT
// What native threads hold of a Lua state: its gate, and the events that they post to it (weft.h).
// It is counted, and outlives the state; then it is closed. The state holds the first reference.
//
//   inside    the thread that runs the state, from the moment that this was made; a native thread
//             between weft_enter and weft_leave. Plain members are theirs alone.
//   events    a stack of posts, which the pump, a task of the worker's, turns into fibers, at most
//             so many at a time. scheduled_ is true while the pump is posted, ready or waits for a
//             worker; who makes it true posts it.
//   room_     how many more events may be unfinished; posts wait for it.
// A state that shares a worker (attach.hpp) shares its gate.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "lua/state.hpp"
#include "weft/core/gate.hpp"
#include "weft/core/task.hpp"
#include "weft/weft.h"

namespace weft::inline v0::lua {

struct posted_event;

/// One Lua function that threads post to.
struct handler : weft_handler {
  core::atomic<int> references{1};
  shared_state* home = nullptr;
  int place = 0;                 // in the table of handlers
  posted_event* last = nullptr;  // says that it is released; made with it, so that it cannot fail
};

struct pump : core::task {
  explicit pump(shared_state& s) noexcept;
  shared_state& home;
};

struct shared_state : weft_state {
  /// Null: not enough memory.
  static shared_state* make(state& s, lua_State* entry) noexcept;
  shared_state(const shared_state&) = delete;
  shared_state& operator=(const shared_state&) = delete;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

  // ---- any thread ----

  int enter(core::nanoseconds timeout, lua_State** L) noexcept;
  /// Whether nobody will look at it any more: it was closed, or it is the parent's, and this
  /// process its child, in which threads that are not there may hold the lock.
  bool is_closed() const noexcept {
    return closed_.load(std::memory_order_acquire) || is_inherited();
  }
  bool is_inherited() const noexcept { return forks_ != core::forks_of_process(); }
  /// Whether the calling thread is inside, or inside another state: it may wait for neither.
  bool holds_one() const noexcept;
  int post(posted_event* e, core::nanoseconds timeout) noexcept;
  /// Without asking for room.
  void push(posted_event* e) noexcept;

  // ---- inside ----

  void leave() noexcept;
  void leave_for(void (*work)(void*), void* arg) noexcept;
  /// The worker that the state is attached to now, or null.
  void move_to(core::worker* w, bool own) noexcept;
  /// The state is run by this thread from now on.
  void settle_here() noexcept { resident_.store(::pthread_self(), std::memory_order_relaxed); }
  void event_ended() noexcept;
  /// The state is closed.
  void close() noexcept;
  /// Of the pump.
  void deliver_some(core::worker& w) noexcept;
  /// In the pump's protected call: makes fibers of events until there is none or the batch is full.
  void deliver(lua_State* L);

  state* s;                                // null: closed
  std::size_t served = 0;                  // handlers that have run, threads that have left again
  core::list<core::wait_record> watchers;  // fibers that wait for more of them
  bool awaited = false;                    // so does the thread that drives

 private:
  shared_state(state& s, lua_State* entry);
  ~shared_state() = default;
  std::shared_ptr<core::gate> current_gate() noexcept;
  int take_room(core::nanoseconds timeout) noexcept;
  bool try_take_room() noexcept;
  posted_event* next_event() noexcept;
  void count_served(std::size_t n) noexcept;
  void schedule() noexcept;
  void drop_events(posted_event* e) noexcept;

  core::atomic<int> references_{1};
  const unsigned forks_ = core::forks_of_process();  // of the process that it was made in
  core::atomic<pthread_t> resident_;
  lua_State* const entry_;  // what a native thread is lent
  pump pump_{*this};
  posted_event* taken_ = nullptr;  // off the stack, oldest first
  int in_batch_ = 0;
  std::size_t begun_ = 0;  // by the pump's last run

  core::atomic<posted_event*> events_{nullptr};
  core::atomic<bool> scheduled_{false};
  core::atomic<bool> closed_{false};
  core::atomic<int> room_;
  core::atomic<int> short_of_room_{0};

  std::mutex mutex_;  // all below
  std::shared_ptr<core::gate> gate_;
  core::worker* worker_ = nullptr;
  bool own_ = false;
  std::condition_variable room_made_;
};

/// The time that lies so far ahead.
core::nanoseconds deadline_after(core::nanoseconds timeout) noexcept;

/// That of the state of L, made on first use, with anchors for what it needs. May raise.
shared_state& shared_of(lua_State* L, state& s);
/// The state is being closed.
void close_shared(state& s) noexcept;
/// Pushes the function that makes fibers of events, for the frame that drives.
void push_deliver(lua_State* L);

}  // namespace weft::inline v0::lua
