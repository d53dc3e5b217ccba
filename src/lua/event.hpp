// SPDX-License-Identifier: MIT
// Values and events on their way from a native thread to a Lua state: one block of malloc's each.
#pragma once

#include <condition_variable>
#include <mutex>

#include "lua/gate.hpp"

namespace weft::inline v0::lua {

/// A copy of values whose bytes lie behind it, in one block with `before` bytes ahead of the
/// values. Null: not enough memory. free() it.
void* copy_values(std::size_t before, const weft_value* values, std::size_t count) noexcept;

/// Pushes them; there is room. May raise.
void push_values(lua_State* L, const weft_value* values, std::size_t count);

/// What a thread waits for that has called a handler. Counted: by the thread, and by a userdata
/// while the handler runs.
class reply {
 public:
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;
  /// With a block of copy_values, whose owner it is now. False: nobody waits any more.
  bool give(int status, weft_value* values, std::size_t count) noexcept;
  /// The status, or WEFT_TIMEOUT. `due` is an absolute time.
  int await(core::nanoseconds due, weft_results* results) noexcept;

 private:
  ~reply();
  core::atomic<int> references_{1};
  std::mutex mutex_;  // all below
  std::condition_variable given_;
  bool decided_ = false;
  bool left_ = false;
  int status_ = WEFT_CLOSED;
  weft_value* values_ = nullptr;
  std::size_t count_ = 0;
};

struct posted_event {
  posted_event* next;
  handler* to;
  reply* caller;  // or null; a reference
  bool releases;  // the handler has no other event, nor will it
  std::size_t count;

  weft_value* values() noexcept { return reinterpret_cast<weft_value*>(this + 1); }
};
static_assert(sizeof(posted_event) % alignof(weft_value) == 0);

}  // namespace weft::inline v0::lua
