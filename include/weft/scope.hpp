// SPDX-License-Identifier: MIT
// scope(f, args...): runs f in a scope, and returns its result when everything spawned inside has
// ended. The first failure cancels the rest and is thrown. `co_await scope(f)` is a function, not
// an object: a destructor cannot wait.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/choose.hpp"
#include "weft/core/task_scope.hpp"
#include "weft/spawn.hpp"
#include "weft/task.hpp"
#include "weft/time.hpp"

namespace weft::inline v0 {

namespace detail {

/// `co_await self()`: the coroutine that awaits it.
struct self : awaiter_base {
  self() noexcept {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> here) noexcept {
    coroutine = here.promise().owner;
    return false;
  }
  core::coroutine& await_resume() const noexcept { return *coroutine; }
  core::coroutine* coroutine = nullptr;
};

/// `co_await`: whether the scope has ended. A wait for it; false when a cancellation has ended that
/// instead, unless it is deaf.
class scope_end_wait : public awaiter_base {
 public:
  scope_end_wait(core::task_scope& s, bool first, bool deaf) noexcept
      : scope_(s), first_(first), deaf_(deaf) {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> here) noexcept {
    core::coroutine& c = *here.promise().owner;
    c_ = &c;
    if (deaf_) c.life.set(core::lifecycle::deaf, c.concurrent);
    c.concurrent ? c.begin_shared() : c.begin_plain();
    if (first_) scope_.leave(c);
    const bool over = scope_.ended() || (!deaf_ && c.is_cancelled());
    // Decided by somebody else: the wake-up is on its way.
    if (over && c.complete_at_home(core::winner_cancelled)) return false;
    c.park_at(here, "end of a scope");
    return true;
  }
  bool await_resume() const noexcept {
    if (deaf_) c_->life.clear(core::lifecycle::deaf, c_->concurrent);
    return scope_.ended();
  }

 private:
  core::task_scope& scope_;
  core::coroutine* c_ = nullptr;
  const bool first_;
  const bool deaf_;
};

}  // namespace detail

/// What a scope's body gets to spawn into it from elsewhere, and to end it.
class task_group {
 public:
  explicit task_group(core::task_scope& s) noexcept : scope_(s) {}
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// As weft::spawn, in this scope. Called by a task inside it.
  template <class F, class... Args>
    requires detail::makes_task<F, Args...>
  auto spawn(F&& f, Args&&... args) {
    core::coroutine& by = detail::calling_coroutine("task_group::spawn");
    return detail::begin(detail::make_task(std::forward<F>(f), std::forward<Args>(args)...), scope_,
                         *by.on);
  }
  template <class T>
  join_handle<T> spawn(task<T> t) {
    core::coroutine& by = detail::calling_coroutine("task_group::spawn");
    return detail::begin(std::move(t), scope_, *by.on);
  }
  /// Cancels the body and every child. The scope then returns without an error of its own.
  void cancel() noexcept {
    cancelled_here_ = true;
    scope_.cancel();
  }
  bool is_cancelled() const noexcept { return scope_.is_cancelled(); }
  bool was_cancelled_here() const noexcept { return cancelled_here_; }

 private:
  core::task_scope& scope_;
  bool cancelled_here_ = false;
};

namespace detail {

template <class F, class... Args>
concept takes_group = std::is_invocable_v<F, task_group&, Args...>;

template <class F, class... Args>
struct body_of : std::invoke_result<F, Args...> {};
template <class F, class... Args>
  requires takes_group<F, Args...>
struct body_of<F, Args...> : std::invoke_result<F, task_group&, Args...> {};

template <class F, class... Args>
concept makes_body = requires { typename body_of<F, Args...>::type; } &&
                     is_task<std::remove_cvref_t<typename body_of<F, Args...>::type>>;

/// What the body gives.
template <class F, class... Args>
struct body_value_of {
  static_assert(!is_task<std::remove_cvref_t<F>>,
                "weft::scope, weft::shield: these take a function, which they call inside: "
                "scope(f, args...), not scope(f(args...))");
  static_assert(is_task<std::remove_cvref_t<F>> || makes_body<F, Args...>,
                "weft::scope, weft::shield: f(args...) or f(group, args...) has to give a task");
  using type = void;
};
template <class F, class... Args>
  requires makes_body<F, Args...>
struct body_value_of<F, Args...> {
  using type = typename std::remove_cvref_t<typename body_of<F, Args...>::type>::value_type;
};
template <class F, class... Args>
using body_value = typename body_value_of<F, Args...>::type;

/// As run_kept.
template <class T, class F, class... Args>
task<T> run_with_group(task_group* group, F f, Args... args) {
  co_return co_await std::move(f)(*group, std::move(args)...);
}
template <class F, class... Args>
auto call_body(task_group& group, F f, Args... args) {
  if constexpr (takes_group<F, Args...>)
    return run_with_group<body_value<F, Args...>>(&group, std::move(f), std::move(args)...);
  else
    return make_task(std::move(f), std::move(args)...);
}

/// Fails the scope at its deadline.
inline task<> watch_deadline(core::task_scope* s, core::nanoseconds duration) {
  co_await sleep_operation::after(duration);
  s->fail(std::make_exception_ptr(timed_out("weft: the scope's time is over")));
}

template <class T, class F, class... Args>
task<T> run_scope(bool shield, core::nanoseconds limit, F f, Args... args) {
  self who;
  core::coroutine& me = co_await who;
  core::scope_list* const known_to = me.on->scopes();
  core::task_scope inside(me.concurrent, 1, known_to);
  // Of the deadline; it ends when `inside` has.
  core::task_scope timer(me.concurrent, 1, limit == core::forever ? nullptr : known_to);
  inside.shield = shield;
  if (limit != core::forever) begin(watch_deadline(&inside, limit), timer, *me.on).detach();
  inside.enter(me);
  task_group group(inside);
  outcome<T> result;
  std::exception_ptr error;
  bool unwound = false;  // by a cancellation
  try {
    if constexpr (std::is_void_v<T>)
      co_await call_body(group, std::move(f), std::move(args)...);
    else
      result.set(co_await call_body(group, std::move(f), std::move(args)...));
  } catch (const cancelled&) {
    error = std::current_exception();
    unwound = true;
    inside.cancel();
  } catch (...) {
    error = std::current_exception();
    inside.fail(error);
  }
  if (!co_await scope_end_wait(inside, true, false)) {
    inside.cancel();
    while (!co_await scope_end_wait(inside, false, true)) continue;
  }
  timer.cancel();
  for (bool first = true; !co_await scope_end_wait(timer, first, true);) first = false;
  inside.collect_failures();
  inside.exit();
  if (inside.failure()) std::rethrow_exception(inside.failure());
  if (unwound && !(group.was_cancelled_here() && std::is_void_v<T> && !me.is_cancelled()))
    std::rethrow_exception(error);
  co_return result.take();
}

}  // namespace detail

struct scope_options {
  scope_options() noexcept {}

  /// How long everything inside may take; then the scope throws timed_out. Negative: as long as it
  /// takes.
  std::chrono::nanoseconds timeout{-1};
};

/// `co_await scope(f, args...)`: f(group, args...) or f(args...), a task, runs in the calling task.
/// Returns its result when everything spawned inside has ended. The first failure cancels the rest
/// and is thrown; a cancellation by group.cancel() is absorbed if there is no result to give.
template <class F, class... Args>
auto scope(F f, Args... args) {
  using value = detail::body_value<F, Args...>;
  return detail::run_scope<value, F, Args...>(false, core::forever, std::move(f),
                                              std::move(args)...);
}
template <class F, class... Args>
auto scope(const scope_options& options, F f, Args... args) {
  using value = detail::body_value<F, Args...>;
  const core::nanoseconds limit =
      options.timeout.count() < 0 ? core::forever : detail::to_nanoseconds(options.timeout);
  return detail::run_scope<value, F, Args...>(false, limit, std::move(f), std::move(args)...);
}

/// `co_await shield(f, args...)`: a scope that hides cancellations from outside, for clean-up that
/// has to wait.
template <class F, class... Args>
auto shield(F f, Args... args) {
  using value = detail::body_value<F, Args...>;
  return detail::run_scope<value, F, Args...>(true, core::forever, std::move(f),
                                              std::move(args)...);
}

namespace detail {

template <class T>
task<> keep_regular(task<T> t, std::optional<regular<T>>* into) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(t);
    into->emplace();
  } else {
    into->emplace(co_await std::move(t));
  }
}

/// Of a scope of keep_regular that has ended without a failure: who has no result was cancelled,
/// from outside.
template <class R>
R take_kept(std::optional<R>& kept) {
  if (!kept) throw cancelled();
  return std::move(*kept);
}

template <class... Ts>
task<> spawn_all(task_group& group, std::tuple<task<Ts>...>* tasks,
                 std::tuple<std::optional<regular<Ts>>...>* results) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (group.spawn(keep_regular<Ts>, std::move(std::get<I>(*tasks)), &std::get<I>(*results)).detach(),
     ...);
  }(std::index_sequence_for<Ts...>());
  co_return;
}

template <class... Ts>
task<std::tuple<regular<Ts>...>> run_all(task<Ts>... each) {
  std::tuple<task<Ts>...> tasks(std::move(each)...);
  std::tuple<std::optional<regular<Ts>>...> results;
  co_await scope(spawn_all<Ts...>, &tasks, &results);
  co_return std::apply([](auto&... r) { return std::tuple<regular<Ts>...>(take_kept(r)...); },
                       results);
}

template <class... Ts>
task<> race_all(task_group& group, std::tuple<task<Ts>...>* tasks,
                std::optional<std::variant<regular<Ts>...>>* winner) {
  auto handles = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple<join_handle<Ts>...>(group.spawn(std::move(std::get<I>(*tasks)))...);
  }(std::index_sequence_for<Ts...>());
  auto first = std::apply([](auto&... h) { return choose(h.join_op()...); }, handles);
  winner->emplace(co_await std::move(first));
  group.cancel();
}

template <class... Ts>
task<std::variant<regular<Ts>...>> run_any(task<Ts>... each) {
  std::tuple<task<Ts>...> tasks(std::move(each)...);
  std::optional<std::variant<regular<Ts>...>> winner;
  co_await scope(race_all<Ts...>, &tasks, &winner);
  co_return std::move(*winner);
}

// ---- likewise of a number that is known at run time ----

template <class R>
concept range_of_tasks =
    std::ranges::input_range<R> && is_task<std::remove_cvref_t<std::ranges::range_reference_t<R>>>;

template <range_of_tasks R>
using task_in = std::remove_cvref_t<std::ranges::range_reference_t<R>>;

/// Whether R may be emptied: it makes its tasks as it goes, or is a container of the caller's no
/// more.
template <class R>
inline constexpr bool gives_away = !std::is_lvalue_reference_v<std::ranges::range_reference_t<R>> ||
                                   !(std::is_lvalue_reference_v<R> || std::ranges::view<R>);

template <range_of_tasks R>
std::vector<task_in<R>> take_tasks(R& from) {
  std::vector<task_in<R>> tasks;
  if constexpr (std::ranges::sized_range<R>) tasks.reserve(std::ranges::size(from));
  for (auto&& t : from) tasks.push_back(std::move(t));
  return tasks;
}

template <class T>
using all_results = std::conditional_t<std::is_void_v<T>, void, std::vector<regular<T>>>;
template <class T>
using kept_results = std::vector<std::optional<regular<T>>>;

template <class T>
task<> spawn_each(task_group& group, std::vector<task<T>>* tasks, kept_results<T>* results) {
  for (std::size_t i = 0; i < tasks->size(); ++i)
    group.spawn(keep_regular<T>, std::move((*tasks)[i]), &(*results)[i]).detach();
  co_return;
}

template <class T>
task<all_results<T>> run_each(std::vector<task<T>> tasks) {
  kept_results<T> kept(tasks.size());
  co_await scope(spawn_each<T>, &tasks, &kept);
  std::vector<regular<T>> results;
  results.reserve(kept.size());
  for (auto& r : kept) results.push_back(take_kept(r));
  if constexpr (!std::is_void_v<T>) co_return std::move(results);
}

template <class T>
using listed_winner = typename listed_choice<typename join_handle<T>::join_operation>::result_type;

template <class T>
task<> race_each(task_group& group, std::vector<task<T>>* tasks,
                 std::optional<listed_winner<T>>* winner) {
  std::vector<join_handle<T>> handles;
  std::vector<typename join_handle<T>::join_operation> joins;
  handles.reserve(tasks->size());  // the operations refer to them
  for (task<T>& t : *tasks) {
    handles.push_back(group.spawn(std::move(t)));
    joins.push_back(handles.back().join_op());
  }
  auto first = choose(joins);
  winner->emplace(co_await std::move(first));
  group.cancel();
}

template <class T>
task<listed_winner<T>> run_any_of(std::vector<task<T>> tasks) {
  std::optional<listed_winner<T>> winner;
  co_await scope(race_each<T>, &tasks, &winner);
  co_return std::move(*winner);
}

}  // namespace detail

/// `co_await all(t...)`: runs the tasks beside each other; a tuple of their results (void is
/// std::monostate). The first failure cancels the others and is thrown.
template <class... Ts>
auto all(task<Ts>... tasks) {
  return detail::run_all<Ts...>(std::move(tasks)...);
}

/// `co_await any(t...)`: the result of the first that ends, or its failure; the others are
/// cancelled and have ended before it returns.
template <class... Ts>
  requires(sizeof...(Ts) > 0)
auto any(task<Ts>... tasks) {
  return detail::run_any<Ts...>(std::move(tasks)...);
}

/// `co_await all(std::move(tasks))`, `co_await all(ids | std::views::transform(fetch))`: of a
/// container that is given away, or of a view that makes tasks: a vector of their results in the
/// same order (nothing, of task<void>; a reference is a std::reference_wrapper). As above; of no
/// tasks at all, an empty vector. The range is gone through in the call.
template <class R>
  requires detail::range_of_tasks<R>
auto all(R&& tasks) {
  static_assert(detail::gives_away<R>, "weft::all: it takes the tasks: all(std::move(tasks))");
  return detail::run_each(detail::take_tasks(tasks));
}

/// Likewise: a pair of the first one's index and its result (the index alone, of task<void>).
/// Throws std::invalid_argument, in the call, when there is none.
template <class R>
  requires detail::range_of_tasks<R>
auto any(R&& tasks) {
  static_assert(detail::gives_away<R>, "weft::any: it takes the tasks: any(std::move(tasks))");
  auto taken = detail::take_tasks(tasks);
  if (taken.empty()) throw std::invalid_argument("weft::any: no tasks");
  return detail::run_any_of(std::move(taken));
}

}  // namespace weft::inline v0
