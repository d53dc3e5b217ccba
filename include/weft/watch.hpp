// SPDX-License-Identifier: MIT
// watch: a value that changes, and those who follow it. They see the newest value, not each one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "weft/core/waiters.hpp"
#include "weft/published.hpp"
#include "weft/ready_arm.hpp"

namespace weft::inline v0 {

namespace detail {

/// Values are made and destroyed outside the lock; under it only pointers are copied.
template <class T>
class watch_state : public published {
  using holding = core::waiters::holding;
  using looking = core::waiters::looking;

 public:
  using version = std::uint64_t;
  using value = std::shared_ptr<const T>;

  explicit watch_state(T initial) : newest_(std::make_shared<const T>(std::move(initial))) {}

  void set(T next) {
    value v = std::make_shared<const T>(std::move(next));
    holding held(waiting());
    newest_.swap(v);
    ++version_;
    held.complete_all();
  }
  /// And what it counts as.
  std::pair<value, version> get() noexcept {
    const looking held(waiting());
    return {newest_, version_};
  }
  /// Under the lock.
  bool is_past(version seen) const noexcept { return version_ != seen; }

 private:
  value newest_;
  version version_ = 0;
};

}  // namespace detail

template <class T>
class watch_reader;

/// The newest value, or nothing: there is no newer one, nor will there be.
template <class T>
class [[nodiscard]] changed_operation : public operation<changed_operation<T>> {
 public:
  using result_type = std::optional<T>;
  static constexpr bool shared = true;
  static constexpr const char* what = "change";

  class arm : public detail::ready_arm<watch_reader<T>*> {
   public:
    explicit arm(const changed_operation& op) noexcept
        : detail::ready_arm<watch_reader<T>*>(op.of_) {}
    result_type settle(performer&) { return this->of_->take(); }
  };

  explicit changed_operation(watch_reader<T>& of) noexcept : of_(&of) {}

 private:
  watch_reader<T>* of_;
};

/// Follows a watch. For one task or thread at a time; movable while nothing waits in it.
template <class T>
class watch_reader {
  using state = detail::watch_state<T>;

 public:
  explicit watch_reader(std::shared_ptr<state> of) noexcept
      : of_(std::move(of)), seen_(of_->get().second) {}

  /// `co_await r.changed()`: waits for a value that this reader has not seen, and gives the newest;
  /// nothing once it is closed and that has been seen. Throws cancelled if the task is.
  changed_operation<T> changed() noexcept { return changed_op(); }
  /// As an arm of a choice, or for perform_blocking. The reader has to outlive it.
  changed_operation<T> changed_op() noexcept { return changed_operation<T>(*this); }
  /// A copy of the newest value, which counts as seen.
  T get() {
    auto [value, version] = of_->get();
    seen_ = version;
    return *value;
  }

 private:
  friend detail::ready_arm<watch_reader*>;
  friend class changed_operation<T>::arm;
  core::waiters& waiting() noexcept { return of_->waiting(); }
  bool ready() const noexcept { return of_->is_past(seen_) || of_->closed(); }
  std::optional<T> take() {
    auto [value, version] = of_->get();
    if (std::exchange(seen_, version) == version) return std::nullopt;
    return std::optional<T>(*value);
  }

  std::shared_ptr<state> of_;
  typename state::version seen_;
};

/// A value of a T that can be copied. Copies of the watch are the same one; when the last has gone
/// it is closed. Any thread.
template <class T>
class watch {
  using state = detail::watch_state<T>;

 public:
  explicit watch(T initial)
      : of_(std::make_shared<detail::publishing<state>>(std::move(initial))) {}

  /// Wakes all readers that wait; never waits.
  void set(T value) const { of_->state->set(std::move(value)); }
  /// A copy of the newest value.
  T get() const { return *of_->state->get().first; }
  /// A reader that has seen what there is now.
  watch_reader<T> subscribe() const { return watch_reader<T>(of_->state); }
  /// Readers see the newest value, then nothing. False: it was closed before.
  bool close() const noexcept { return of_->state->close(); }

 private:
  std::shared_ptr<detail::publishing<state>> of_;
};

}  // namespace weft::inline v0
