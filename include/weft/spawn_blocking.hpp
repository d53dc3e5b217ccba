// SPDX-License-Identifier: MIT
// spawn_blocking(f, args...): runs an ordinary function, which may block, beside the workers.
// Tests: tests/task/blocking_test.cpp.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/core/helpers.hpp"
#include "weft/core/waiters.hpp"
#include "weft/ready_arm.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

namespace detail {

/// What a call and its handle share.
template <class T>
class call_state {
 public:
  core::waiters& waiting() noexcept { return waiting_; }
  bool ready() const noexcept { return done_; }
  void finish() noexcept {
    core::waiters::holding held(waiting_);
    done_ = true;
    held.complete_all();
  }
  bool is_finished() noexcept {
    const core::waiters::looking held(waiting_);
    return done_;
  }

  /// Once it has finished: the result, once.
  T take() {
    if (taken_.exchange(true, std::memory_order_relaxed))
      misuse("weft: the result of this call has been taken before");
    return result.take();
  }

  outcome<T> result;  // the call's until it is done, then the waiter's

 private:
  core::waiters waiting_;
  bool done_ = false;
  core::atomic<bool> taken_{false};
};

template <class T, class F, class... Args>
class blocking_job final : public core::helper_job {
 public:
  template <class G, class... As>
  blocking_job(std::shared_ptr<call_state<T>> state, G&& f, As&&... args)
      : state_(std::move(state)), call_(std::forward<G>(f), std::forward<As>(args)...) {}

  void run() noexcept override {
    try {
      call();
    } catch (...) {
      state_->result.fail(std::current_exception());
    }
    state_->finish();
  }

 private:
  /// What f and the arguments hold is let go before the result is announced.
  void call() {
    std::tuple<F, Args...> mine(std::move(call_));
    const auto invoke = [](F& f, Args&... args) -> T {
      return std::invoke(std::move(f), std::move(args)...);
    };
    if constexpr (std::is_void_v<T>)
      std::apply(invoke, mine);
    else
      state_->result.set(std::apply(invoke, mine));
  }

  std::shared_ptr<call_state<T>> state_;
  std::tuple<F, Args...> call_;
};

}  // namespace detail

/// A call on a helper thread. Await it for the result or the exception, which is for the first who
/// asks (the second gets a std::logic_error); use it as an arm of a choice. Copies are the same
/// call. One that is let go, or whose waiter is cancelled, runs to its end; then its result, also
/// an exception, is dropped.
template <class T>
class [[nodiscard]] blocking_handle : public operation<blocking_handle<T>> {
  using source = std::shared_ptr<detail::call_state<T>>;

 public:
  using result_type = T;
  static constexpr bool shared = true;
  static constexpr const char* what = "blocking call";

  class arm : public detail::ready_arm<source> {
   public:
    explicit arm(const blocking_handle& h) noexcept : detail::ready_arm<source>(h.of_) {}
    T settle(performer&) { return this->of_->take(); }
  };

  explicit blocking_handle(source of) noexcept : of_(std::move(of)) {}

  /// Whether the call has ended. Any thread.
  bool is_finished() const noexcept { return of_->is_finished(); }

 private:
  source of_;
};

/// Calls f(args...), decay-copied, on a helper thread: there are at most 64; calls beyond that wait
/// their turn. Any thread, also outside a runtime (perform_blocking awaits the handle there).
/// Throws std::system_error if there is no helper and the system refuses one.
template <class F, class... Args>
  requires std::invocable<std::decay_t<F>, std::decay_t<Args>...>
auto spawn_blocking(F&& f, Args&&... args) {
  using given = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;
  static_assert(!detail::is_task<std::remove_cvref_t<given>>,
                "weft::spawn_blocking calls an ordinary function; a task is spawned: spawn(f)");
  using job = detail::blocking_job<given, std::decay_t<F>, std::decay_t<Args>...>;
  auto state = std::make_shared<detail::call_state<given>>();
  core::run_on_helper(
      std::make_unique<job>(state, std::forward<F>(f), std::forward<Args>(args)...));
  return blocking_handle<given>(std::move(state));
}

}  // namespace weft::inline v0
