// SPDX-License-Identifier: MIT
// broadcast: every value to every subscriber. It keeps the newest `capacity` values: a reader that
// falls behind by more is told how many it has missed, and never holds up a sender.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "weft/core/waiters.hpp"
#include "weft/published.hpp"
#include "weft/ready_arm.hpp"

namespace weft::inline v0 {

/// What a reader of a broadcast gets: a value; or how many it has missed; or, neither, that it is
/// closed.
template <class T>
class [[nodiscard]] broadcast_result {
 public:
  broadcast_result() noexcept {}
  explicit broadcast_result(T value) : held_(std::in_place_index<2>, std::move(value)) {}
  static broadcast_result missed(std::uint64_t n) noexcept {
    broadcast_result r;
    r.held_.template emplace<1>(n);
    return r;
  }

  bool has_value() const noexcept { return held_.index() == 2; }
  explicit operator bool() const noexcept { return has_value(); }
  /// Values that were lost to this reader, all older than what it gets next; 0 if none.
  std::uint64_t lagged() const noexcept { return held_.index() == 1 ? *std::get_if<1>(&held_) : 0; }
  /// Nothing comes any more.
  bool closed() const noexcept { return held_.index() == 0; }

  /// Throws std::bad_variant_access when there is none.
  T& value() { return std::get<2>(held_); }
  T& operator*() noexcept { return *std::get_if<2>(&held_); }
  T* operator->() noexcept { return std::get_if<2>(&held_); }

 private:
  std::variant<std::monostate, std::uint64_t, T> held_;
};

namespace detail {

/// Values are made, copied and destroyed outside the lock; under it only pointers move.
template <class T>
class broadcast_state : public published {
  using holding = core::waiters::holding;
  using looking = core::waiters::looking;

 public:
  using number = std::uint64_t;
  using value = std::shared_ptr<const T>;

  explicit broadcast_state(std::size_t capacity) : ring_(capacity) {}

  std::size_t send(T&& v) {
    value next = std::make_shared<const T>(std::move(v));
    holding held(waiting());
    if (closed()) return 0;
    ring_[sent_++ % ring_.size()].swap(next);
    held.complete_all();
    return readers_;
  }
  /// The number of the first value that a new reader gets.
  number add_reader() noexcept {
    const looking held(waiting());
    ++readers_;
    return sent_;
  }
  void drop_reader() noexcept {
    const looking held(waiting());
    --readers_;
  }
  /// Under the lock.
  bool is_past(number next) const noexcept { return sent_ != next; }

  /// Value `next`, which then counts one more. None: nothing has come, or `missed` have gone.
  value take(number& next, number& missed) noexcept {
    const looking held(waiting());
    if (sent_ == next) return nullptr;
    if (sent_ - next > ring_.size()) {
      missed = sent_ - ring_.size() - next;
      next += missed;
      return nullptr;
    }
    return ring_[next++ % ring_.size()];
  }

 private:
  std::vector<value> ring_;
  number sent_ = 0;
  std::size_t readers_ = 0;
};

}  // namespace detail

template <class T>
class broadcast_reader;

template <class T>
class [[nodiscard]] broadcast_operation : public operation<broadcast_operation<T>> {
 public:
  using result_type = broadcast_result<T>;
  static constexpr bool shared = true;
  static constexpr const char* what = "broadcast";

  class arm : public detail::ready_arm<broadcast_reader<T>*> {
   public:
    explicit arm(const broadcast_operation& op) noexcept
        : detail::ready_arm<broadcast_reader<T>*>(op.of_) {}
    result_type settle(performer&) { return this->of_->take(); }
  };

  explicit broadcast_operation(broadcast_reader<T>& of) noexcept : of_(&of) {}

 private:
  broadcast_reader<T>* of_;
};

/// Subscribes from its creation on. For one task or thread at a time; movable while nothing waits
/// in it.
template <class T>
class broadcast_reader {
  using state = detail::broadcast_state<T>;

 public:
  explicit broadcast_reader(std::shared_ptr<state> of) noexcept
      : of_(std::move(of)), next_(of_->add_reader()) {}
  broadcast_reader(broadcast_reader&&) noexcept = default;
  broadcast_reader& operator=(broadcast_reader&& other) noexcept {
    broadcast_reader mine(std::move(other));
    of_.swap(mine.of_);
    std::swap(next_, mine.next_);
    return *this;
  }
  ~broadcast_reader() {
    if (of_) of_->drop_reader();
  }

  /// `co_await r.recv()`: the next value, a copy; or how many this reader has missed (the next recv
  /// gives the oldest that is left); closed once all has been read and nothing more will come.
  /// Throws cancelled if the task is.
  broadcast_operation<T> recv() noexcept { return recv_op(); }
  /// As an arm of a choice, or for perform_blocking. The reader has to outlive it.
  broadcast_operation<T> recv_op() noexcept { return broadcast_operation<T>(*this); }
  /// Never waits: nothing, if it would have to.
  std::optional<broadcast_result<T>> try_recv() { return recv_op().try_perform(); }

 private:
  friend detail::ready_arm<broadcast_reader*>;
  friend class broadcast_operation<T>::arm;
  core::waiters& waiting() noexcept { return of_->waiting(); }
  bool ready() const noexcept { return of_->is_past(next_) || of_->closed(); }
  broadcast_result<T> take() {
    typename state::number missed = 0;
    if (const auto value = of_->take(next_, missed)) return broadcast_result<T>(*value);
    return missed ? broadcast_result<T>::missed(missed) : broadcast_result<T>();
  }

  std::shared_ptr<state> of_;
  typename state::number next_;
};

/// The sending side, of a T that can be copied. Its copies are the same broadcast; when the last
/// has gone it is closed. Any thread.
template <class T>
class broadcast {
  using state = detail::broadcast_state<T>;

 public:
  /// Throws std::invalid_argument for a capacity of 0.
  explicit broadcast(std::size_t capacity)
      : of_(std::make_shared<detail::publishing<state>>(checked(capacity))) {}

  /// To all who subscribe now: how many they are. Never waits; 0 once closed.
  std::size_t send(T value) const { return of_->state->send(std::move(value)); }
  /// A reader of what is sent from now on.
  broadcast_reader<T> subscribe() const { return broadcast_reader<T>(of_->state); }
  /// Readers get what there is, then `closed`. False: it was closed before.
  bool close() const noexcept { return of_->state->close(); }

 private:
  static std::size_t checked(std::size_t capacity) {
    if (capacity == 0) throw std::invalid_argument("weft::broadcast: capacity 0 keeps nothing");
    return capacity;
  }
  std::shared_ptr<detail::publishing<state>> of_;
};

}  // namespace weft::inline v0
