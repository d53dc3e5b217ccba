// SPDX-License-Identifier: MIT
// What the ends of a channel<T> share, and what one end is. models/: those of core/channel.hpp.
#pragma once

#include <cstddef>
#include <utility>

#include "weft/core/channel.hpp"
#include "weft/core/frames.hpp"
#include "weft/core/lock.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0::detail {

/// A value on its way: in the arm of a send, or in the buffer.
template <class T>
struct cell {
  explicit cell(T&& v) : value(std::move(v)) {}
  cell* next = nullptr;
  T value;

  static void* operator new(std::size_t size) { return core::allocate_frame(size); }
  static void operator delete(void* p, std::size_t size) noexcept {
    core::release_frame(p, core::frame_class_of(size));
  }
};

/// The arm of a receive that waits, and where its value goes.
template <class T>
struct getter : core::wait_record {
  cell<T>* got = nullptr;
};
/// The arm of a send that waits, and the value that it offers; nothing: it waits for a place.
template <class T>
struct putter : core::wait_record {
  cell<T>* offer = nullptr;
};

/// What the ends share. Values travel as cells, made by the sender before any lock is taken: under
/// the lock only pointers move, and nothing allocates or throws.
template <class T>
class channel_state {
 public:
  explicit channel_state(std::size_t capacity) noexcept : ways_(capacity) {}
  channel_state(const channel_state&) = delete;
  channel_state& operator=(const channel_state&) = delete;
  ~channel_state() {
    while (first_) delete pop();
  }

  /// Of one value. The channel's lock is held in all but wake().
  struct mover {
    channel_state& state;
    cell<T>*& mine;

    void give(core::wait_record& r) noexcept { static_cast<getter<T>&>(r).got = take_mine(); }
    void take(core::wait_record& r) noexcept { mine = take_from(r); }
    void store() noexcept { state.push(take_mine()); }
    void load() noexcept { mine = state.pop(); }
    void refill(core::wait_record& r) noexcept { state.push(take_from(r)); }
    void wake(core::task& t) noexcept { t.kind->wake(t); }
    static bool reserves(const core::wait_record& r) noexcept {
      return !static_cast<const putter<T>&>(r).offer;
    }

   private:
    cell<T>* take_mine() noexcept { return std::exchange(mine, nullptr); }
    static cell<T>* take_from(core::wait_record& r) noexcept {
      return std::exchange(static_cast<putter<T>&>(r).offer, nullptr);
    }
  };

  core::channel<core::tiny_lock>& ways() noexcept { return ways_; }

  core::atomic<std::size_t> senders{1};
  core::atomic<std::size_t> receivers{1};
  core::atomic<std::size_t> references{2};  // both ends, and operations that were kept

 private:
  void push(cell<T>* c) noexcept {
    c->next = nullptr;
    (last_ ? last_->next : first_) = c;
    last_ = c;
  }
  cell<T>* pop() noexcept {
    cell<T>* c = first_;
    first_ = c->next;
    if (!first_) last_ = nullptr;
    return c;
  }

  core::channel<core::tiny_lock> ways_;
  cell<T>* first_ = nullptr;
  cell<T>* last_ = nullptr;
};

/// How an operation refers to its channel: it counts when it may be kept (send_op, recv_op), and
/// only borrows from its end when it is awaited at once (send, recv).
template <class T>
class channel_ref {
 public:
  enum class keeps : bool { no, yes };

  channel_ref(channel_state<T>& state, keeps k) noexcept
      : state_(&state), counted_(k == keeps::yes) {
    count();
  }
  channel_ref(const channel_ref& other) noexcept : state_(other.state_), counted_(other.counted_) {
    count();
  }
  channel_ref(channel_ref&& other) noexcept
      : state_(other.state_), counted_(std::exchange(other.counted_, false)) {}
  channel_ref& operator=(const channel_ref&) = delete;
  ~channel_ref() {
    if (counted_) drop(*state_);
  }
  channel_state<T>* operator->() const noexcept { return state_; }
  channel_state<T>& operator*() const noexcept { return *state_; }

  static void drop(channel_state<T>& state) noexcept {
    if (state.references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete &state;
  }

 private:
  void count() noexcept {
    if (counted_) state_->references.fetch_add(1, std::memory_order_relaxed);
  }
  channel_state<T>* state_;
  bool counted_;
};

/// A channel's state, counted as one of its senders or receivers: with the last one it closes.
template <class T, core::atomic<std::size_t> channel_state<T>::* Count>
class counted_end {
 public:
  /// Takes over one count, and one reference.
  explicit counted_end(channel_state<T>& state) noexcept : state_(&state) {}
  counted_end(const counted_end& other) noexcept
      : counted_end(other.state_ ? another(*other.state_) : counted_end(nullptr)) {}
  counted_end(counted_end&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  counted_end& operator=(counted_end other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~counted_end() {
    if (!state_) return;
    if ((state_->*Count).fetch_sub(1, std::memory_order_acq_rel) == 1) state_->ways().close();
    channel_ref<T>::drop(*state_);
  }
  /// One more of them.
  static counted_end another(channel_state<T>& state) noexcept {
    (state.*Count).fetch_add(1, std::memory_order_relaxed);
    state.references.fetch_add(1, std::memory_order_relaxed);
    return counted_end(state);
  }

  explicit operator bool() const noexcept { return state_ != nullptr; }
  channel_state<T>& operator*() const noexcept { return *state_; }

 private:
  explicit counted_end(std::nullptr_t) noexcept : state_(nullptr) {}
  channel_state<T>* state_;
};

/// What both ends have in common.
template <class T, core::atomic<std::size_t> channel_state<T>::* Count>
class channel_end {
 public:
  /// Takes over one count of the end, and one reference.
  explicit channel_end(channel_state<T>& state) noexcept : of_(state) {}

  /// Wakes whoever waits at either end. What is buffered can still be received. False: it was
  /// closed before.
  bool close() const noexcept { return state().ways().close(); }
  /// Either side has closed it, or all senders or all receivers have gone: for good. So it tells
  /// why a try has failed: try_send and try_reserve were refused because it is closed, or else
  /// because it was full.
  bool closed() const noexcept { return state().ways().closed(); }
  /// Values in the buffer, a moment ago.
  std::size_t size() const noexcept { return state().ways().size(); }
  std::size_t capacity() const noexcept { return state().ways().capacity(); }
  /// How many copies of this end there are, a moment ago. One: this is the only one.
  std::size_t copies() const noexcept { return (state().*Count).load(std::memory_order_acquire); }

 protected:
  using keeps = typename channel_ref<T>::keeps;
  channel_state<T>& state() const noexcept { return *of_; }
  channel_ref<T> refer(keeps k) const noexcept { return channel_ref<T>(*of_, k); }

 private:
  counted_end<T, Count> of_;
};

}  // namespace weft::inline v0::detail
