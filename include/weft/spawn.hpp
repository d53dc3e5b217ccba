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

/// A spawned task, as its spawner holds it. Await it, once, for the result; use it as an arm of a
/// choice; or let it go. It keeps the result alone: the task's arguments go when the task ends.
/// Move-only.
///
/// An operation made of an rvalue (`co_await std::move(h)`, `timeout(spawn(f), d)`) takes the
/// handle along: if it loses, the handle goes, and the task runs on. Of an lvalue it borrows it.
/// Joining a handle that is empty, or a task that was joined or is being joined, throws
/// std::logic_error. One that was moved from or detached may only be asked whether it is empty, and
/// be cancelled, assigned to and destroyed.
template <class T>
class [[nodiscard]] join_handle : public operation<join_handle<T>> {
 public:
  using result_type = T;
  static constexpr bool shared = false;  // its completer is in the same runtime
  static constexpr const char* what = "join";

  class arm {
   public:
    static constexpr bool home_only = false;
    /// The handle stays its owner's, and outlives this.
    explicit arm(const join_handle& h) noexcept : of_(h.of_) {}
    /// This has the handle now.
    explicit arm(join_handle&& h) noexcept : of_(std::exchange(h.of_, nullptr)), owns_(true) {}
    arm(const arm&) = delete;
    arm& operator=(const arm&) = delete;
    ~arm() {
      make_room();
      if (owns_ && of_) of_->drop_handle();
    }

    bool attempt(performer&) {
      claim();
      return of_->life.has(core::lifecycle::complete);
    }
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
      claimed_ = false;  // for good
      return of_->result.take();
    }
    void lose(performer&) noexcept { make_room(); }
    std::uint32_t leaves() const noexcept { return 1; }
    /// Of a task of another runtime, joined on the only worker of this one (elsewhere it does not
    /// matter). That runtime may have ended by now.
    bool crosses(performer& p) const noexcept {
      const core::worker* const theirs = of_->on;
      return p.worker() && theirs != p.worker();
    }

   private:
    /// Refuses a second joiner: there is one result, and room for one record.
    void claim() {
      if (!of_) detail::misuse("weft: join of an empty handle: it was joined, moved or detached");
      if (owns_ || claimed_) return;
      if (of_->life.set(core::lifecycle::claimed, of_->concurrent) & core::lifecycle::claimed)
        detail::misuse("weft: join of a task that was joined before, or is being joined");
      claimed_ = true;
    }
    void make_room() noexcept {
      if (claimed_) of_->life.clear(core::lifecycle::claimed, of_->concurrent);
      claimed_ = false;
    }

    detail::spawned<T>* of_;
    core::wait_record record_;
    bool published_ = false;
    bool claimed_ = false;  // a borrowed handle is this arm's to join, until it has lost
    const bool owns_ = false;
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

  /// Asks the task to stop: what it waits in, now or later, throws `cancelled`. Of an empty handle:
  /// nothing.
  void cancel() noexcept {
    if (of_) of_->cancel();
  }
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

template <class...>
struct types {};

/// Whether parameters P keep nothing of arguments A but copies: by value, and no view of an
/// argument (a std::string_view of a std::string) that would go before the task does.
template <class... P, class... A>
constexpr bool keep_copies(types<P...>, types<A...>) {
  if constexpr (sizeof...(P) == sizeof...(A))
    return ((std::is_same_v<P, A> || (!std::is_reference_v<P> && std::is_scalar_v<A>)) && ...);
  else
    return false;
}

/// Whether a coroutine function keeps nothing of its caller: it is not a closure, and its
/// parameters are copies. Then its own frame is all that a spawn needs.
template <class A, class R, class... P>
constexpr bool by_value(R (*)(P...)) {
  return keep_copies(types<P...>(), A());
}
template <class A, class F, class R, class... P>
constexpr bool by_value(R (F::*)(P...) const) {
  return std::is_empty_v<F> && keep_copies(types<P...>(), A());
}
template <class F, class... Args>
constexpr bool is_self_contained() {
  using arguments = types<Args...>;
  if constexpr (std::is_pointer_v<F>)
    return by_value<arguments>(F());
  else if constexpr (requires { by_value<arguments>(&F::operator()); })
    return by_value<arguments>(&F::operator());
  else
    return false;
}

/// Of a member function: `of` is what it is called on, as std::invoke has it.
template <class T, class F, class Object, class... Args>
task<T> run_kept_member(F f, Object of, Args... args) {
  if constexpr (requires { (std::move(of).*f)(std::move(args)...); })
    co_return co_await (std::move(of).*f)(std::move(args)...);
  else if constexpr (requires { (of.get().*f)(std::move(args)...); })
    co_return co_await (of.get().*f)(std::move(args)...);
  else
    co_return co_await ((*of).*f)(std::move(args)...);
}

/// Keeps the function and its arguments as long as the task runs; likewise what the call makes of
/// an argument for a parameter that is a reference, so the call stands in the co_await itself.
template <class T, class F, class... Args>
task<T> run_kept(F f, Args... args) {
  if constexpr (std::is_member_function_pointer_v<F>)
    co_return co_await run_kept_member<T>(f, std::move(args)...);
  else
    co_return co_await std::move(f)(std::move(args)...);
}

template <class F, class... Args>
auto make_task(F&& f, Args&&... args) {
  using made = task_of<F, Args...>;
  if constexpr (is_self_contained<std::decay_t<F>, std::decay_t<Args>...>())
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

/// Begins f(args...), a task, beside the calling one. f and the arguments are decay-copied, and
/// live as long as the task; so does what the call converts them to. Called inside a task; anywhere
/// else it throws std::logic_error: use runtime::spawn or a runtime::handle.
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
class [[nodiscard]] yielding : public awaiter_base {
 public:
  yielding() noexcept {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> here) noexcept {
    of_ = here.promise().owner;
    of_->yield_at(here);
  }
  void await_resume() const {
    if (of_->is_cancelled()) throw cancelled();
  }

 private:
  core::coroutine* of_ = nullptr;
};
}  // namespace detail

/// `co_await yield()`: goes behind everything that is ready. Throws `cancelled` if the task is.
inline detail::yielding yield() noexcept { return detail::yielding(); }

/// Whether the calling task has been asked to stop, so that its next wait throws `cancelled`: for
/// one that computes for long without a wait. False inside a shield that hides it, and outside
/// tasks. Never waits.
WEFT_API bool is_cancelled() noexcept;

}  // namespace weft::inline v0
