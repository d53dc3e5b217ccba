// SPDX-License-Identifier: MIT
// oneshot: one value, from one end to the other: `auto [tx, rx] = oneshot<int>()`. Each end has one
// owner, and may be moved to any task or thread.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "weft/core/waiters.hpp"
#include "weft/ready_arm.hpp"

namespace weft::inline v0 {

namespace detail {

template <class T>
class oneshot_state {
 public:
  core::waiters& waiting() noexcept { return waiting_; }
  /// Under the lock: the value has come, or will not.
  bool ready() const noexcept { return over_; }

  bool is_over() noexcept {
    const core::waiters::looking held(waiting_);
    return over_;
  }
  /// False: the receiver has gone.
  bool send(T&& value) {
    if (is_over()) return false;
    value_.emplace(std::move(value));  // the receiver does not look yet
    return finish();
  }
  /// No value comes any more. False: it was so before.
  bool finish() noexcept {
    core::waiters::holding held(waiting_);
    held.complete_all();
    return !std::exchange(over_, true);
  }
  /// Once it is over: whether the value has been taken, or never came.
  bool is_empty() const noexcept { return !value_; }
  /// Once it is over: the value, to the first who asks.
  std::optional<T> take() { return std::exchange(value_, std::nullopt); }

 private:
  core::waiters waiting_;
  bool over_ = false;
  std::optional<T> value_;
};

}  // namespace detail

/// The value, or nothing if the sender has gone without sending.
template <class T>
class [[nodiscard]] oneshot_operation : public operation<oneshot_operation<T>> {
  using source = std::shared_ptr<detail::oneshot_state<T>>;

 public:
  using result_type = std::optional<T>;
  static constexpr bool shared = true;
  static constexpr const char* what = "oneshot";

  class arm : public detail::ready_arm<source> {
   public:
    explicit arm(const oneshot_operation& op) noexcept : detail::ready_arm<source>(op.of_) {}
    result_type settle(performer&) { return this->of_->take(); }
  };

  explicit oneshot_operation(source of) noexcept : of_(std::move(of)) {}

 private:
  source of_;
};

namespace detail {

/// One end, with one owner. When it goes, it is over.
template <class T>
class oneshot_end {
 public:
  explicit oneshot_end(std::shared_ptr<oneshot_state<T>> of) noexcept : of_(std::move(of)) {}
  oneshot_end(oneshot_end&&) noexcept = default;
  oneshot_end& operator=(oneshot_end&& other) noexcept {
    oneshot_end mine(std::move(other));
    of_.swap(mine.of_);
    return *this;
  }
  ~oneshot_end() {
    if (of_) of_->finish();
  }

 protected:
  std::shared_ptr<oneshot_state<T>> of_;
};

}  // namespace detail

/// The sending end.
template <class T>
class oneshot_sender : public detail::oneshot_end<T> {
 public:
  using detail::oneshot_end<T>::oneshot_end;

  /// Sends the value; never waits. False: the receiver has gone, or something was sent before.
  bool send(T value) { return this->of_->send(std::move(value)); }
  /// The receiver has gone, or something was sent.
  bool closed() const noexcept { return this->of_->is_over(); }
};

/// The receiving end. The value is for the first who asks.
template <class T>
class oneshot_receiver : public detail::oneshot_end<T> {
 public:
  using detail::oneshot_end<T>::oneshot_end;

  /// `co_await rx.recv()`: waits for the value; nothing if the sender goes away, or if the value
  /// has been received. Throws cancelled if the task is.
  oneshot_operation<T> recv() const noexcept { return recv_op(); }
  /// As an arm of a choice, or for perform_blocking. It may outlive this end.
  oneshot_operation<T> recv_op() const noexcept { return oneshot_operation<T>(this->of_); }
  /// Never waits: nothing, also when it would have to; drained() tells which.
  std::optional<T> try_recv() { return this->of_->is_over() ? this->of_->take() : std::nullopt; }
  /// The value has been received, or the sender has gone without one: nothing will be received.
  /// Not while another task or thread receives.
  bool drained() const noexcept { return this->of_->is_over() && this->of_->is_empty(); }
};

/// Both ends of a new one.
template <class T>
std::pair<oneshot_sender<T>, oneshot_receiver<T>> oneshot() {
  auto state = std::make_shared<detail::oneshot_state<T>>();
  return {oneshot_sender<T>(state), oneshot_receiver<T>(state)};
}

}  // namespace weft::inline v0
