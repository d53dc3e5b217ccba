// SPDX-License-Identifier: MIT
// Operations: whatever can be waited for, as a value. `co_await op` performs it; choose() puts it
// beside others; op.try_perform() asks without waiting; perform_blocking(op) waits in a plain
// thread.
//
// A kind of operation is a class that derives from operation<itself>, with
//   result_type   what a perform gives
//   shared        true: it may be completed by other threads
//   what          optional: a static name, for reports of who waits for what
//   arm           one performance of it: made from the operation, never copied or moved. It holds
//                 the wait record and what has been passed, so that the operation stays a recipe.
// and an arm has
//   bool attempt(performer&)                  complete now, or say no
//   core::pass publish(performer&, first)     leave the record(s), numbered from `first`
//   void retract(performer&) noexcept         take back whatever is still published
//   result_type settle(performer&)            after attempt() or a win: the result, or throw
//   void decide(std::uint32_t winner) noexcept   how it was decided, before settle() or lose()
//   void lose(performer&) noexcept            it was performed and did not win
//   std::uint32_t leaves() const noexcept     how many numbers publish() uses
//   static constexpr bool home_only           true: retract_home() noexcept unlinks what only the
//                                             worker that published it may touch
// An arm that can be tried and published under one lock may have also
//   bool attempt_or_publish(performer&, begin)   for a perform of it alone: attempt(), or, where
//                                             that says no, begin() and publish(), as number 0
// An arm that is bound to a descriptor, or to whatever else only one worker may touch, has also
//   static constexpr bool resident            true: it is performed on that worker, which the task
//                                             moves to, and not retracted or confirmed elsewhere
//   void each_home(f)                         f(homed&) for each thing that it is bound to
//   bool confirm(performer&)                  after a win, and before settle(): does what it won
//                                             the right to. False: it was not to be had after all,
//                                             and everything is performed anew
#pragma once

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "weft/core/channel.hpp"
#include "weft/core/coroutine.hpp"
#include "weft/core/home.hpp"
#include "weft/core/task_scope.hpp"
#include "weft/error.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

namespace detail {
class thread_wait;

template <class Arm>
constexpr bool is_resident() noexcept {
  if constexpr (requires { Arm::resident; })
    return Arm::resident;
  else
    return false;
}

/// What a performance holds besides, if its arm is resident.
template <bool Resident>
struct resident_part {};
template <>
struct resident_part<true> {
  std::exception_ptr failure;      // thrown while nobody could catch it
  core::worker* origin = nullptr;  // where it began, while it moves to where it is bound
};

}  // namespace detail

/// Who performs: a task, on its worker, or a plain thread.
class performer {
 public:
  explicit performer(core::coroutine& c) noexcept
      : task_(&c), worker_(c.on), concurrent_(c.concurrent) {}
  explicit performer(core::task& t, detail::thread_wait& thread) noexcept
      : task_(&t), thread_(&thread), concurrent_(true) {}

  /// A task of another kind that stays on its worker, a Lua fiber. Null: it does not wait.
  explicit performer(core::task& t, core::worker* at) noexcept
      : task_(&t), worker_(at), concurrent_(true) {}

  core::task& task() const noexcept { return *task_; }
  /// Null for a plain thread.
  core::worker* worker() const noexcept { return worker_; }
  bool concurrent() const noexcept { return concurrent_; }
  core::random_source& random() const noexcept;
  core::nanoseconds now() const noexcept;
  /// Completes the performer with r.arm at that time. Taken back by r.unlink().
  void arm_timer(core::wait_record& r, core::nanoseconds deadline) const noexcept;

 private:
  core::task* task_;
  core::worker* worker_ = nullptr;
  detail::thread_wait* thread_ = nullptr;
  bool concurrent_;
};

namespace detail {

/// The result as a member of a variant, a tuple or a result<T>.
template <class T>
struct regular_of {
  using type = T;
};
template <class T>
  requires std::is_void_v<T>
struct regular_of<T> {
  using type = std::monostate;
};
template <class T>
struct regular_of<T&> {
  using type = std::reference_wrapper<T>;
};
template <class T>
using regular = typename regular_of<T>::type;

/// What the arms of operations that leave one record have in common.
template <class Record = core::wait_record>
class single_arm {
 public:
  static constexpr bool home_only = false;
  single_arm() noexcept = default;
  single_arm(const single_arm&) = delete;
  single_arm& operator=(const single_arm&) = delete;

  void decide(std::uint32_t) noexcept {}
  void lose(performer&) noexcept {}
  std::uint32_t leaves() const noexcept { return 1; }

 protected:
  /// For publish(): the record, in the performer's name.
  Record& record_of(performer& p, std::uint32_t index) noexcept {
    record_.owner = &p.task();
    record_.arm = index;
    return record_;
  }
  Record record_;
};

/// What a task that waits for it is said to wait for.
template <class Op>
constexpr const char* what_of() noexcept {
  if constexpr (requires { Op::what; })
    return Op::what;
  else
    return "operation";
}

/// Of an arm whose operation is not shared: whether another thread completes it all the same.
template <class Arm>
bool arm_crosses(Arm& arm, performer& p) noexcept {
  if constexpr (requires { arm.crosses(p); })
    return arm.crosses(p);
  else
    return false;
}

/// Whether a perform throws when its task is cancelled. A deaf one is for what has to happen before
/// a cancelled task goes on, and is short.
enum class hearing : bool { deaf, normal };

/// One performance of an operation by a task: what `co_await op` awaits.
template <class Op, hearing Hears = hearing::normal>
class [[nodiscard]] performance : public awaiter_base,
                                  core::parked_wait,
                                  detail::resident_part<is_resident<typename Op::arm>()> {
  static constexpr bool resident = is_resident<typename Op::arm>();
  static constexpr bool hears = Hears == hearing::normal;

 public:
  using result_type = typename Op::result_type;

  template <class Source>
    requires(!std::is_same_v<std::remove_cvref_t<Source>, performance>)
  explicit performance(Source&& op) : arm_(std::forward<Source>(op)) {}
  performance(const performance&) = delete;
  performance& operator=(const performance&) = delete;

  bool await_ready() const noexcept { return false; }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> here) {
    c_ = here.promise().owner;
    return perform(here);
  }

  result_type await_resume() {
    if constexpr (resident)
      if (this->failure) std::rethrow_exception(std::move(this->failure));
    if constexpr (!hears) c_->life.clear(core::lifecycle::deaf, c_->concurrent);
    performer p(*c_);
    take_back(p);
    if (cancelled_) {
      arm_.lose(p);
      throw cancelled();
    }
    return arm_.settle(p);
  }

 private:
  /// False: the frame goes on at once.
  bool perform(std::coroutine_handle<> here) {
    core::coroutine& c = *c_;
    performer p(c);
    if (hears && c.is_cancelled()) return give_up(here);
    if constexpr (resident) {
      at_home = go_on_at_home;
      if (core::worker& there = core::place_of(arm_, *c.on, this->origin); &there != c.on) {
        if (!this->origin) this->origin = c.on;
        c.move_to(here, there, *this);
        return true;
      }
      this->origin = nullptr;
    }
    if constexpr (hears && requires { arm_.attempt_or_publish(p, [] {}); }) {
      if (arm_.attempt_or_publish(p, [&] { begin(p); })) return spent(here);
      return park(here);
    } else {
      if (arm_.attempt(p)) return spent(here);
      return wait(here);
    }
  }

  /// Nothing is ready. Apart from perform, which is small enough to be inlined then.
  [[gnu::noinline]] bool wait(std::coroutine_handle<> here) {
    core::coroutine& c = *c_;
    performer p(c);
    if constexpr (!hears) c.life.set(core::lifecycle::deaf, c.concurrent);
    if constexpr (resident) c.stay(*this);
    begin(p);
    switch (arm_.publish(p, 0)) {
      case core::pass::done:
      case core::pass::closed:
        if constexpr (resident) c.stay_no_more();
        arm_.decide(c.winner);
        arm_.retract(p);
        return spent(here);
      default: break;
    }
    return park(here);
  }

  /// It is published.
  bool park(std::coroutine_handle<> here) {
    core::coroutine& c = *c_;
    performer p(c);
    // Published, so a canceller may see it now; what was asked for before is seen here.
    if (hears && c.concurrent && c.is_cancelled() && c.complete_at_home(core::winner_cancelled)) {
      if constexpr (resident) c.stay_no_more();
      arm_.retract(p);
      return give_up(here);
    }
    if constexpr (!resident && Op::arm::home_only) {
      at_home = [](core::parked_wait& w) noexcept {
        static_cast<performance&>(w).arm_.retract_home();
      };
      c.wait = this;
    }
    // Another thread may hold the other end: this worker is waiting, not deadlocked.
    if (c.on->is_alone() && crosses(p)) c.on->add_source();
    parked_ = true;
    c.park_at(here, what_of<Op>());
    return true;
  }

  /// After a wait, on the way to its end.
  void take_back(performer& p) noexcept {
    if (!parked_) return;
    parked_ = false;
    if (c_->on->is_alone() && crosses(p)) c_->on->drop_source();
    arm_.retract(p);
    arm_.decide(c_->winner);
    if (c_->winner == core::winner_cancelled) cancelled_ = true;
  }

  /// Resident: it has moved to where it is bound, or was woken there.
  static void go_on_at_home(core::parked_wait& w) noexcept {
    auto& self = static_cast<performance&>(w);
    const bool was_parked = self.parked_;
    performer p(*self.c_);
    self.take_back(p);
    if (self.cancelled_) return;
    try {
      if (!was_parked || !self.arm_.confirm(p)) self.perform(self.c_->at);
    } catch (...) {
      self.failure = std::current_exception();
    }
  }

  /// A wait that only this thread can complete has a plain word.
  void begin(performer& p) noexcept {
    core::coroutine& c = *c_;
    if (c.concurrent)
      c.begin_shared();
    else if (crosses(p))
      c.begin_mixed();
    else
      c.begin_plain();
  }
  bool crosses(performer& p) noexcept { return Op::shared || arm_crosses(arm_, p); }

  /// Each cancelled perform costs a trip through the run queue: a loop that ignores it hangs
  /// nobody.
  bool give_up(std::coroutine_handle<> here) noexcept {
    cancelled_ = true;
    c_->yield_at(here);
    return true;
  }
  /// Completed without waiting. A task that has done that often goes behind the others.
  bool spent(std::coroutine_handle<> here) noexcept {
    if (c_->on->spend()) return false;
    c_->yield_at(here);
    return true;
  }

  typename Op::arm arm_;
  core::coroutine* c_ = nullptr;
  bool parked_ = false;
  bool cancelled_ = false;
};

}  // namespace detail

template <class Op>
class operation {
 public:
  detail::performance<Op> operator co_await() const& {
    return detail::performance<Op>(static_cast<const Op&>(*this));
  }
  detail::performance<Op> operator co_await() && {
    return detail::performance<Op>(static_cast<Op&&>(*this));
  }

  /// Completes now, or gives nothing. Never waits; any thread.
  auto try_perform() const& { return attempt(static_cast<const Op&>(*this)); }
  auto try_perform() && { return attempt(static_cast<Op&&>(*this)); }

 private:
  friend Op;
  operation() noexcept = default;

  template <class Source>
  static auto attempt(Source&& op);
};

template <class T>
concept is_operation = std::is_base_of_v<operation<std::remove_cvref_t<T>>, std::remove_cvref_t<T>>;

namespace detail {
/// True of an operation. Of anything else the compiler says what is wrong with it.
template <class T>
struct operation_check {
  static_assert(
      !is_task<std::remove_cvref_t<T>>,
      "weft: a task is no operation: spawn it, its handle is one; or use all(), any(), or "
      "a scope with a limit");
  static_assert(is_task<std::remove_cvref_t<T>> || is_operation<T>,
                "weft: this is no operation: see sleep_op, recv_op, lock_op, join handles");
  static constexpr bool value = true;
};
template <class T>
inline constexpr bool is_operation_or_explained = operation_check<T>::value;
}  // namespace detail

}  // namespace weft::inline v0

#include "weft/perform_blocking.hpp"
