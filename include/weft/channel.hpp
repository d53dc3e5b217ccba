// SPDX-License-Identifier: MIT
// channel<T>: passes values between tasks, and between threads. `auto [tx, rx] = channel<T>(n)`:
// n = 0 (the default) is a rendezvous, n > 0 a buffer of n, `unbounded` one without limit. Both
// ends may be copied, by any thread. When the last sender has gone, or either side has closed,
// receivers drain what is buffered and then get nothing; senders get their value back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "weft/core/channel.hpp"
#include "weft/core/frames.hpp"
#include "weft/core/lock.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0 {

inline constexpr std::size_t unbounded = core::unbounded;

/// Of a send: true, or the value back because the channel is closed.
template <class T>
class [[nodiscard]] send_result {
 public:
  send_result() noexcept {}
  explicit send_result(T&& back) : back_(std::move(back)) {}
  explicit operator bool() const noexcept { return !back_; }
  /// Of a send that failed: the value that was to be sent.
  T& value() noexcept { return *back_; }

 private:
  std::optional<T> back_;
};

namespace detail {

/// A value on its way: in the arm of a send, or in the buffer.
template <class T>
struct cell {
  explicit cell(T&& v) : value(std::move(v)) {}
  cell* next = nullptr;
  T value;

  static void* operator new(std::size_t size) { return core::allocate_frame(size); }
  static void operator delete(void* p, std::size_t size) noexcept { core::release_frame(p, size); }
};

/// The arm of a receive that waits, and where its value goes.
template <class T>
struct getter : core::wait_record {
  cell<T>* got = nullptr;
};
/// The arm of a send that waits, and the value that it offers.
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

}  // namespace detail

/// Sends one value. Ready when a receiver takes it, when there is room for it, or when the channel
/// is closed.
template <class T>
class send_operation : public operation<send_operation<T>> {
 public:
  using result_type = send_result<T>;
  static constexpr bool shared = true;

  class arm {
    using state = detail::channel_state<T>;
    using mover = typename state::mover;

   public:
    static constexpr bool home_only = false;
    explicit arm(const send_operation& op)
        : state_(op.state_), mine_(new detail::cell<T>(T(*op.value_))) {}
    explicit arm(send_operation&& op)
        : state_(std::move(op.state_)), mine_(new detail::cell<T>(std::move(*op.value_))) {}
    arm(const arm&) = delete;
    arm& operator=(const arm&) = delete;
    ~arm() {
      delete mine_;
      delete record_.offer;
    }

    bool attempt(performer&) noexcept {
      const core::pass p = state_->ways().try_put(mover{*state_, mine_});
      closed_ = p == core::pass::closed;
      return p != core::pass::wait;
    }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      record_.owner = &p.task();
      record_.arm = index;
      record_.offer = std::exchange(mine_, nullptr);
      return state_->ways().publish_put(record_, mover{*state_, record_.offer});
    }
    void retract(performer& p) noexcept {
      // Whoever completes a record has taken it off its list: no lock for the arm that won.
      if (p.task().winner != record_.arm) state_->ways().retract(record_);
      closed_ = p.task().closed;
      if (!mine_) mine_ = std::exchange(record_.offer, nullptr);
    }
    void decide(std::uint32_t) noexcept {}
    result_type settle(performer&) {
      if (!closed_) return result_type();
      return result_type(std::move(mine_->value));
    }
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }

   private:
    detail::channel_ref<T> state_;
    detail::cell<T>* mine_;
    detail::putter<T> record_;
    bool closed_ = false;
  };

  send_operation(detail::channel_ref<T> state, T value)
      : state_(std::move(state)), value_(std::move(value)) {}

 private:
  detail::channel_ref<T> state_;
  std::optional<T> value_;
};

/// Receives one value, or nothing once the channel is closed and drained.
template <class T>
class recv_operation : public operation<recv_operation<T>> {
 public:
  using result_type = std::optional<T>;
  static constexpr bool shared = true;

  class arm {
    using state = detail::channel_state<T>;
    using mover = typename state::mover;

   public:
    static constexpr bool home_only = false;
    explicit arm(const recv_operation& op) noexcept : state_(op.state_) {}
    explicit arm(recv_operation&& op) noexcept : state_(std::move(op.state_)) {}
    arm(const arm&) = delete;
    arm& operator=(const arm&) = delete;
    ~arm() { delete record_.got; }

    bool attempt(performer&) noexcept {
      return state_->ways().try_get(mover{*state_, record_.got}) != core::pass::wait;
    }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      record_.owner = &p.task();
      record_.arm = index;
      return state_->ways().publish_get(record_, mover{*state_, record_.got});
    }
    void retract(performer& p) noexcept {
      if (p.task().winner != record_.arm) state_->ways().retract(record_);
    }
    void decide(std::uint32_t) noexcept {}
    result_type settle(performer&) {
      if (!record_.got) return std::nullopt;
      return result_type(std::move(record_.got->value));
    }
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }

   private:
    detail::channel_ref<T> state_;
    detail::getter<T> record_;
  };

  explicit recv_operation(detail::channel_ref<T> state) noexcept : state_(std::move(state)) {}

 private:
  detail::channel_ref<T> state_;
};

namespace detail {

/// One end of a channel, counted: when the last one goes, the channel closes.
template <class T, core::atomic<std::size_t> channel_state<T>::* Count>
class channel_end {
 public:
  /// Takes over one count of the end, and one reference.
  explicit channel_end(channel_state<T>& state) noexcept : state_(&state) {}
  channel_end(const channel_end& other) noexcept : state_(other.state_) {
    if (!state_) return;
    (state_->*Count).fetch_add(1, std::memory_order_relaxed);
    state_->references.fetch_add(1, std::memory_order_relaxed);
  }
  channel_end(channel_end&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  channel_end& operator=(channel_end other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~channel_end() {
    if (!state_) return;
    if ((state_->*Count).fetch_sub(1, std::memory_order_acq_rel) == 1) close();
    channel_ref<T>::drop(*state_);
  }

  /// Wakes whoever waits at either end. What is buffered can still be received. False: it was
  /// closed before.
  bool close() const noexcept { return state_->ways().close(); }
  bool closed() const noexcept { return state_->ways().closed(); }
  /// Values in the buffer, a moment ago.
  std::size_t size() const noexcept { return state_->ways().size(); }
  std::size_t capacity() const noexcept { return state_->ways().capacity(); }
  /// How many copies of this end there are, a moment ago. One: this is the only one.
  std::size_t copies() const noexcept { return (state_->*Count).load(std::memory_order_acquire); }

 protected:
  using keeps = typename channel_ref<T>::keeps;
  channel_state<T>& state() const noexcept { return *state_; }
  channel_ref<T> refer(keeps k) const noexcept { return channel_ref<T>(*state_, k); }

 private:
  channel_state<T>* state_;
};

}  // namespace detail

/// The sending end. Any thread.
template <class T>
class sender : public detail::channel_end<T, &detail::channel_state<T>::senders> {
  using base = detail::channel_end<T, &detail::channel_state<T>::senders>;

 public:
  using base::base;

  /// `co_await tx.send(v)`: waits until it is passed on. False, with the value, if closed.
  /// What it returns is awaited while the end lives; send_op's may be kept.
  send_operation<T> send(T value) const {
    return send_operation<T>(this->refer(base::keeps::no), std::move(value));
  }
  send_operation<T> send_op(T value) const {
    return send_operation<T>(this->refer(base::keeps::yes), std::move(value));
  }
  /// Never waits: false, with the value, also when it would have to.
  send_result<T> try_send(T value) const {
    auto* c = new detail::cell<T>(std::move(value));
    const core::pass p =
        this->state().ways().try_put(typename detail::channel_state<T>::mover{this->state(), c});
    if (p == core::pass::done) return send_result<T>();
    const std::unique_ptr<detail::cell<T>> back(c);
    return send_result<T>(std::move(back->value));
  }
};

/// The receiving end. Any thread.
template <class T>
class receiver : public detail::channel_end<T, &detail::channel_state<T>::receivers> {
  using base = detail::channel_end<T, &detail::channel_state<T>::receivers>;

 public:
  using base::base;

  /// `co_await rx.recv()`: the next value, or nothing once closed and drained.
  /// What it returns is awaited while the end lives; recv_op's may be kept.
  recv_operation<T> recv() const { return recv_operation<T>(this->refer(base::keeps::no)); }
  recv_operation<T> recv_op() const { return recv_operation<T>(this->refer(base::keeps::yes)); }
  /// Never waits: nothing, also when it would have to.
  std::optional<T> try_recv() const {
    detail::cell<T>* got = nullptr;
    this->state().ways().try_get(typename detail::channel_state<T>::mover{this->state(), got});
    if (!got) return std::nullopt;
    const std::unique_ptr<detail::cell<T>> owned(got);
    return std::optional<T>(std::move(owned->value));
  }
};

/// Both ends of a new channel: `auto [tx, rx] = channel<int>(16)`.
template <class T>
std::pair<sender<T>, receiver<T>> channel(std::size_t capacity = 0) {
  auto state = std::make_unique<detail::channel_state<T>>(capacity);
  detail::channel_state<T>& shared = *state.release();
  return {sender<T>(shared), receiver<T>(shared)};
}

}  // namespace weft::inline v0
