// SPDX-License-Identifier: MIT
// reserve: a place in a channel's buffer first, the value later. What is made with effort, or
// cannot be given back, is made once there is room for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "weft/channel_state.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0 {

/// Of a send: true, or the value back because the channel is closed. Whoever knows that it is open
/// need not look.
template <class T>
class send_result {
 public:
  send_result() noexcept {}
  explicit send_result(T&& back) : back_(std::move(back)) {}
  explicit operator bool() const noexcept { return !back_; }
  /// Of a send that failed: the value that was to be sent.
  T& value() noexcept { return *back_; }

 private:
  std::optional<T> back_;
};

/// A place in the buffer of a channel. Until it is used, values of others that a receiver takes at
/// once may go before it. It counts as a sender, and goes back when it is destroyed
/// unused. Movable; any thread.
template <class T>
class [[nodiscard]] channel_permit {
  using end = detail::counted_end<T, &detail::channel_state<T>::senders>;
  using mover = typename detail::channel_state<T>::mover;

 public:
  /// Of a place that was reserved: reserve_operation's.
  explicit channel_permit(detail::channel_state<T>& state) noexcept : at_(end::another(state)) {}
  channel_permit(channel_permit&& other) noexcept = default;
  channel_permit& operator=(channel_permit&& other) noexcept {
    channel_permit mine(std::move(other));
    std::swap(at_, mine.at_);
    return *this;
  }
  ~channel_permit() { release(); }

  /// Puts v into its place, once: `std::move(permit).send(v)`. Never waits. False, with the value,
  /// if the channel is closed.
  send_result<T> send(T v) && {
    auto* c = new detail::cell<T>(std::move(v));
    const end mine(std::move(at_));
    if ((*mine).ways().put_reserved(mover{*mine, c}) == core::pass::done) return send_result<T>();
    const std::unique_ptr<detail::cell<T>> back(c);
    return send_result<T>(std::move(back->value));
  }
  /// Gives the place back, before the destructor does.
  void release() noexcept {
    if (!at_) return;
    const end mine(std::move(at_));
    detail::cell<T>* none = nullptr;
    (*mine).ways().unreserve(mover{*mine, none});
  }
  /// False once it was used, given back or moved from.
  explicit operator bool() const noexcept { return static_cast<bool>(at_); }

 private:
  end at_;
};

/// Ready when there is a place in the buffer that nobody has waited for longer, or when the channel
/// is closed: then it gives nothing.
template <class T>
class [[nodiscard]] reserve_operation : public operation<reserve_operation<T>> {
 public:
  using result_type = std::optional<channel_permit<T>>;
  static constexpr bool shared = true;
  static constexpr const char* what = "reserve";

  class arm : public detail::single_arm<detail::putter<T>> {
   public:
    explicit arm(const reserve_operation& op) noexcept : state_(op.state_) {}
    explicit arm(reserve_operation&& op) noexcept : state_(std::move(op.state_)) {}

    bool attempt(performer&) noexcept {
      const core::pass p = state_->ways().try_reserve();
      closed_ = p == core::pass::closed;
      return p != core::pass::wait;
    }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      detail::cell<T>* none = nullptr;
      return state_->ways().publish_reserve(
          this->record_of(p, index), typename detail::channel_state<T>::mover{*state_, none});
    }
    void retract(performer& p) noexcept {
      if (p.task().winner != this->record_.arm) state_->ways().retract(this->record_);
      closed_ = p.task().closed;
    }
    result_type settle(performer&) noexcept {
      if (closed_) return std::nullopt;
      return result_type(std::in_place, *state_);
    }

   private:
    detail::channel_ref<T> state_;
    bool closed_ = false;
  };

  explicit reserve_operation(detail::channel_ref<T> state) noexcept : state_(std::move(state)) {}

 private:
  detail::channel_ref<T> state_;
};

}  // namespace weft::inline v0
