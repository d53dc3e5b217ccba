// SPDX-License-Identifier: MIT
// spawn_on(executor, f, args...): chooses where something runs.
//   a runtime_handle            f, a task, begins in that runtime, which may be another one
//   a worker_handle             likewise on one worker, where it stays: rt.worker(1)
//   whatever runs functions     f, an ordinary function, runs there: a thread pool, a strand, an
//                               executor of asio's
// In each case what it gives can be awaited, and be an arm of a choice.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "weft/error.hpp"
#include "weft/runtime.hpp"
#include "weft/spawn_blocking.hpp"

namespace weft::inline v0 {

/// What begins tasks: e.spawn(f, args...).
template <class E>
concept task_executor = requires(const E& e, task<> (*f)()) {
  { e.spawn(f) } -> is_operation;
};

/// What runs functions: e.execute(f), or e.post(f). f takes nothing, gives nothing, throws nothing
/// and can be copied. One that is dropped without being called counts as cancelled.
template <class E>
concept function_executor =
    !task_executor<E> && (requires(E& e, std::function<void()> f) { e.execute(std::move(f)); } ||
                          requires(E& e, std::function<void()> f) { e.post(std::move(f)); });

namespace detail {

/// A call that somebody else's executor runs, or drops.
template <class T, class F, class... Args>
class posted_call {
 public:
  template <class G, class... As>
  explicit posted_call(std::shared_ptr<call_state<T>> state, G&& f, As&&... args)
      : state_(state), job_(std::move(state), std::forward<G>(f), std::forward<As>(args)...) {}
  posted_call(const posted_call&) = delete;
  posted_call& operator=(const posted_call&) = delete;
  ~posted_call() {
    if (has_run_) return;
    state_->result.fail(std::make_exception_ptr(cancelled()));
    state_->finish();
  }
  void run() noexcept {
    has_run_ = true;
    job_.run();
  }

 private:
  std::shared_ptr<call_state<T>> state_;
  blocking_job<T, F, Args...> job_;
  bool has_run_ = false;
};

template <class E, class F>
void hand_to(E& e, F f) {
  if constexpr (requires { e.execute(std::move(f)); })
    e.execute(std::move(f));
  else
    e.post(std::move(f));
}

}  // namespace detail

/// As e.spawn(f, args...): the handle of a task of that runtime, which a task of any runtime may
/// join.
template <task_executor E, class F, class... Args>
  requires detail::makes_task<F, Args...>
auto spawn_on(const E& e, F&& f, Args&&... args) {
  return e.spawn(std::forward<F>(f), std::forward<Args>(args)...);
}

/// Calls f(args...), decay-copied, on e. What it gives is as spawn_blocking's. Tasks need a worker:
/// f is none.
template <class E, class F, class... Args>
  requires function_executor<std::remove_cvref_t<E>> &&
           std::invocable<std::decay_t<F>, std::decay_t<Args>...> &&
           (!detail::makes_task<F, Args...>)
auto spawn_on(E&& e, F&& f, Args&&... args) {
  using given = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;
  using call = detail::posted_call<given, std::decay_t<F>, std::decay_t<Args>...>;
  auto state = std::make_shared<detail::call_state<given>>();
  auto made = std::make_shared<call>(state, std::forward<F>(f), std::forward<Args>(args)...);
  detail::hand_to(e, [made = std::move(made)]() noexcept { made->run(); });
  return blocking_handle<given>(std::move(state));
}

}  // namespace weft::inline v0
