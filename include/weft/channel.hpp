// SPDX-License-Identifier: MIT
// channel<T>: passes values between tasks, and between threads. `auto [tx, rx] = channel<T>(n)`:
// n = 0 (the default) is a rendezvous, n > 0 a buffer of n, `unbounded` one without limit. Both
// ends may be copied, by any thread. When the last sender has gone, or either side has closed,
// receivers drain what is buffered and then get nothing; senders get their value back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "weft/channel_state.hpp"
#include "weft/operation.hpp"
#include "weft/reserve.hpp"

namespace weft::inline v0 {

inline constexpr std::size_t unbounded = core::unbounded;

/// Sends one value. Ready when a receiver takes it, when there is room for it, or when the channel
/// is closed.
template <class T>
class [[nodiscard]] send_operation : public operation<send_operation<T>> {
 public:
  using result_type = send_result<T>;
  static constexpr bool shared = true;
  static constexpr const char* what = "send";

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
    template <class Begin>
    bool attempt_or_publish(performer& p, Begin begin) noexcept {
      record_.owner = &p.task();
      const core::pass now = state_->ways().put_or_publish(record_, mover{*state_, mine_}, [&] {
        record_.offer = std::exchange(mine_, nullptr);
        begin();
      });
      closed_ = now == core::pass::closed;
      return now != core::pass::wait;
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
class [[nodiscard]] recv_operation : public operation<recv_operation<T>> {
 public:
  using result_type = std::optional<T>;
  static constexpr bool shared = true;
  static constexpr const char* what = "receive";

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
    template <class Begin>
    bool attempt_or_publish(performer& p, Begin begin) noexcept {
      record_.owner = &p.task();
      return state_->ways().get_or_publish(record_, mover{*state_, record_.got}, begin) !=
             core::pass::wait;
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

/// The sending end. Any thread. One that was moved from is only assigned to and destroyed; likewise
/// a receiving end.
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
  /// `auto permit = co_await tx.reserve()`: waits for a place in the buffer, and keeps it: see
  /// channel_permit. Nothing if closed. Throws std::logic_error of a rendezvous, which has no
  /// places.
  reserve_operation<T> reserve() const { return reserving(base::keeps::no); }
  reserve_operation<T> reserve_op() const { return reserving(base::keeps::yes); }
  /// Never waits: nothing, also when it would have to; closed() tells which.
  std::optional<channel_permit<T>> try_reserve() const {
    std::optional<std::optional<channel_permit<T>>> now = reserve().try_perform();
    if (!now) return std::nullopt;
    return std::move(*now);
  }
  /// Never waits: false, with the value, also when it would have to; closed() tells which.
  send_result<T> try_send(T value) const {
    auto* c = new detail::cell<T>(std::move(value));
    const core::pass p =
        this->state().ways().try_put(typename detail::channel_state<T>::mover{this->state(), c});
    if (p == core::pass::done) return send_result<T>();
    const std::unique_ptr<detail::cell<T>> back(c);
    return send_result<T>(std::move(back->value));
  }

 private:
  reserve_operation<T> reserving(typename base::keeps k) const {
    if (this->capacity() == 0)
      throw std::logic_error("weft: reserve on a rendezvous channel, which has no places");
    return reserve_operation<T>(this->refer(k));
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
  /// Never waits: nothing, also when it would have to; drained() tells which.
  std::optional<T> try_recv() const {
    detail::cell<T>* got = nullptr;
    this->state().ways().try_get(typename detail::channel_state<T>::mover{this->state(), got});
    if (!got) return std::nullopt;
    const std::unique_ptr<detail::cell<T>> owned(got);
    return std::optional<T>(std::move(owned->value));
  }
  /// Closed, and nothing is left in it: nothing will ever be received again. While it is false a
  /// try_recv that gave nothing is worth another one.
  bool drained() const noexcept { return this->state().ways().drained(); }
};

/// Both ends of a new channel: `auto [tx, rx] = channel<int>(16)`.
template <class T>
std::pair<sender<T>, receiver<T>> channel(std::size_t capacity = 0) {
  auto state = std::make_unique<detail::channel_state<T>>(capacity);
  detail::channel_state<T>& shared = *state.release();
  return {sender<T>(shared), receiver<T>(shared)};
}

}  // namespace weft::inline v0
