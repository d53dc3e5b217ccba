// SPDX-License-Identifier: MIT
// spawn(f, args...) -> join_handle<T>: begins a task that runs beside its spawner, in the innermost
// scope that the spawner stands in. The handle is the joiner of its failure: one destroyed unjoined
// hands the exception to the scope.
#pragma once

#include <concepts>
#include <coroutine>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "weft/core/task_scope.hpp"
#include "weft/operation.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

/// A spawned task, as its spawner holds it. Await it (once) for the result; use it as an arm of a
/// choice; or let it go. It keeps the result alone: the task's arguments go when the task ends.
/// Move-only. Not for two threads at once.
template <class T>
class [[nodiscard]] join_handle : public operation<join_handle<T>> {
 public:
  using result_type = T;
  static constexpr bool shared = false;  // its completer is in the same runtime
  static constexpr const char* what = "join";

  class arm {
   public:
    static constexpr bool home_only = false;
    explicit arm(const join_handle& h) noexcept : of_(h.of_) {}
    arm(const arm&) = delete;
    arm& operator=(const arm&) = delete;

    bool attempt(performer&) const noexcept { return of_->life.has(core::lifecycle::complete); }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      record_.owner = &p.task();
      record_.arm = index;
      published_ = of_->begin_join(record_);
      if (published_) return core::pass::wait;
      return p.task().complete_at_home(index) ? core::pass::done : core::pass::decided;
    }
    void retract(performer&) noexcept {
      if (published_) of_->end_join();
      published_ = false;
    }
    void decide(std::uint32_t) noexcept {}
    T settle(performer&) {
      of_->joined = true;
      return of_->result.take();
    }
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }
    /// Of a task of another runtime, joined on the only worker of this one (elsewhere it does not
    /// matter). That runtime may have ended by now.
    bool crosses(performer& p) const noexcept {
      const core::worker* const theirs = of_->on;
      return p.worker() && theirs != p.worker();
    }

   private:
    detail::spawned<T>* of_;
    core::wait_record record_;
    bool published_ = false;
  };

  /// Of a coroutine with interest set: spawn's.
  explicit join_handle(detail::spawned<T>& of) noexcept : of_(&of) {}
  join_handle(join_handle&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  join_handle& operator=(join_handle&& other) noexcept {
    join_handle mine(std::move(other));
    mine.swap(*this);
    return *this;
  }
  ~join_handle() {
    if (of_) of_->drop_handle();
  }
  void swap(join_handle& other) noexcept { std::swap(of_, other.of_); }

  /// The join as an arm of a choice: the handle stays the caller's, and has to outlive it.
  class [[nodiscard]] join_operation : public operation<join_operation> {
   public:
    using result_type = T;
    static constexpr bool shared = false;
    static constexpr const char* what = "join";
    class arm : public join_handle::arm {
     public:
      explicit arm(const join_operation& op) noexcept : join_handle::arm(*op.of_) {}
    };
    explicit join_operation(const join_handle& h) noexcept : of_(&h) {}

   private:
    const join_handle* of_;
  };
  join_operation join_op() const noexcept { return join_operation(*this); }

  /// Its number among all tasks, and what reports call it. Any thread that may use the handle.
  std::uint32_t id() const noexcept { return of_->id(); }
  void set_name(std::string name) { of_->set_name(std::move(name)); }

  /// Asks the task to stop: what it waits in, now or later, throws `cancelled`.
  void cancel() noexcept { of_->cancel(); }
  /// Lets it run on; a failure goes to its scope.
  void detach() noexcept { const join_handle let_go(std::move(*this)); }
  bool is_finished() const noexcept { return of_->life.has(core::lifecycle::complete); }
  /// False after a move or detach().
  explicit operator bool() const noexcept { return of_ != nullptr; }

 private:
  detail::spawned<T>* of_;
};

namespace detail {

template <class F, class... Args>
using task_of = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;

template <class F, class... Args>
concept makes_task =
    requires { typename task_of<F, Args...>; } && is_task<std::remove_cvref_t<task_of<F, Args...>>>;

/// Whether a coroutine function keeps nothing of its caller: it is not a closure, and takes all its
/// parameters by value. Then its own frame is all that a spawn needs.
template <class R, class... P>
constexpr bool by_value(R (*)(P...)) {
  return (!std::is_reference_v<P> && ...);
}
template <class F, class R, class... P>
constexpr bool by_value(R (F::*)(P...) const) {
  return std::is_empty_v<F> && (!std::is_reference_v<P> && ...);
}
template <class F>
constexpr bool is_self_contained() {
  if constexpr (std::is_pointer_v<F>)
    return by_value(F());
  else if constexpr (requires { by_value(&F::operator()); })
    return by_value(&F::operator());
  else
    return false;
}

/// Keeps the function and its arguments as long as the task runs.
template <class T, class F, class... Args>
task<T> run_kept(F f, Args... args) {
  co_return co_await std::invoke(std::move(f), std::move(args)...);
}

template <class F, class... Args>
auto make_task(F&& f, Args&&... args) {
  using made = task_of<F, Args...>;
  if constexpr (is_self_contained<std::decay_t<F>>())
    return std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
  else
    return run_kept<typename made::value_type, std::decay_t<F>, std::decay_t<Args>...>(
        std::forward<F>(f), std::forward<Args>(args)...);
}

/// Begins a task in s, on this thread's worker.
template <class T>
join_handle<T> begin(task<T> t, core::task_scope& s, core::worker& w) {
  spawned<T>& c = t.release().promise().become_spawned();
  c.life.set(core::lifecycle::interest, false);
  core::start(c, s, w);
  return join_handle<T>(c);
}

/// The coroutine that calls; throws std::logic_error outside one.
WEFT_API core::coroutine& calling_coroutine(const char* function);

}  // namespace detail

/// Begins f(args...), a task, beside the calling one. f and the arguments are decay-copied. Called
/// inside a task; anywhere else it throws std::logic_error: use runtime::spawn or a
/// runtime::handle.
template <class F, class... Args>
  requires detail::makes_task<F, Args...>
auto spawn(F&& f, Args&&... args) {
  core::coroutine& by = detail::calling_coroutine("spawn");
  return detail::begin(detail::make_task(std::forward<F>(f), std::forward<Args>(args)...),
                       *by.innermost, *by.on);
}
template <class T>
join_handle<T> spawn(task<T> t) {
  core::coroutine& by = detail::calling_coroutine("spawn");
  return detail::begin(std::move(t), *by.innermost, *by.on);
}

namespace detail {
struct yielding {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> here) const noexcept {
    here.promise().owner->yield_at(here);
  }
  void await_resume() const noexcept {}
  yielding() noexcept = default;
};
}  // namespace detail

/// `co_await yield()`: goes behind everything that is ready.
inline detail::yielding yield() noexcept { return {}; }

}  // namespace weft::inline v0
