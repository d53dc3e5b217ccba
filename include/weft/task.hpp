// SPDX-License-Identifier: MIT
// task<T>: a computation that may wait, written as a coroutine. Lazy (it begins when it is awaited
// or spawned), move-only. A frame that waits for another one needs no stack: a million nested
// awaits are fine in any build.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "weft/core/coroutine.hpp"
#include "weft/core/frames.hpp"
#include "weft/error.hpp"

namespace weft::inline v0 {

template <class T>
class task;

namespace detail {

/// What a task may await: the awaiters of weft.
struct awaiter_base {};

/// What a task ends with: nothing yet, a value (an address, for a reference) or an exception.
template <class T>
class outcome {
  using stored = std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>, T>;

 public:
  outcome() noexcept {}
  outcome(const outcome&) = delete;
  outcome& operator=(const outcome&) = delete;
  ~outcome() {
    if (holds_ == holds::value) std::destroy_at(&kept);
    if (holds_ == holds::error) std::destroy_at(&thrown);
  }

  template <class U>
  void set(U&& value) {
    if constexpr (std::is_reference_v<T>)
      ::new (&kept) stored(std::addressof(value));
    else
      ::new (&kept) stored(std::forward<U>(value));
    holds_ = holds::value;
  }
  void fail(std::exception_ptr e) noexcept {
    ::new (&thrown) std::exception_ptr(std::move(e));
    holds_ = holds::error;
  }
  std::exception_ptr error() const noexcept {
    return holds_ == holds::error ? thrown : std::exception_ptr();
  }
  T take() {
    if (holds_ == holds::error) std::rethrow_exception(thrown);
    if constexpr (std::is_reference_v<T>)
      return static_cast<T>(*kept);
    else
      return std::move(kept);
  }

 private:
  enum class holds : unsigned char { nothing, value, error };
  union {
    stored kept;
    std::exception_ptr thrown;
  };
  holds holds_ = holds::nothing;
};

template <>
class outcome<void> {
 public:
  void fail(std::exception_ptr e) noexcept { error_ = std::move(e); }
  std::exception_ptr error() const noexcept { return error_; }
  void take() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

template <class A>
concept is_awaiter = std::is_base_of_v<awaiter_base, std::remove_cvref_t<A>>;
template <class A>
concept can_be_awaited = is_awaiter<A> || requires(A&& a) {
  { static_cast<A&&>(a).operator co_await() } -> is_awaiter;
};

/// An awaiter that has gone through await_transform. g++ 12 would copy one that came as a
/// reference.
template <class A>
class awaiter_proxy {
 public:
  explicit awaiter_proxy(A& of) noexcept : of_(of) {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  auto await_suspend(std::coroutine_handle<Promise> here) const {
    return of_.await_suspend(here);
  }
  decltype(auto) await_resume() const { return of_.await_resume(); }

 private:
  A& of_;
};
template <class A>
struct passing {
  using type = A&&;
};
template <is_awaiter A>
struct passing<A> {
  using type = awaiter_proxy<std::remove_reference_t<A>>;
};
template <class A>
using passed_on = typename passing<A>::type;

/// What every frame of ours begins with. owner: the coroutine that it runs as, its own or that of
/// the frame that awaits it.
struct promise_base {
  promise_base() noexcept {}
  promise_base(const promise_base&) = delete;
  promise_base& operator=(const promise_base&) = delete;

  std::suspend_always initial_suspend() const noexcept { return {}; }

  /// Somebody else's awaiter would resume this frame past its worker.
  template <class A>
  auto await_transform(A&& awaited) const noexcept -> passed_on<A> {
    static_assert(!(std::is_lvalue_reference_v<A> && is_task<std::remove_cvref_t<A>>),
                  "weft: a task is awaited once, as an rvalue: co_await std::move(t)");
    static_assert(
        can_be_awaited<A> || is_task<std::remove_cvref_t<A>>,
        "weft: a task awaits operations and tasks of weft. What another library completes "
        "sets a weft::event, or sends on a weft::oneshot, that the task awaits");
    if constexpr (is_awaiter<A>)
      return passed_on<A>(awaited);
    else
      return static_cast<A&&>(awaited);
  }

  struct last_suspension {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ending) const noexcept {
      promise_base& p = ending.promise();
      if (p.awaited_by)
        p.owner->hand_over(p.awaited_by);
      else
        p.owner->next_action = core::coroutine::action::end;
    }
    void await_resume() const noexcept {}
  };
  last_suspension final_suspend() const noexcept { return {}; }

  /// Of the current exception: whether it is only how a cancelled task ends.
  bool ends_cancelled() const noexcept;

  core::coroutine* owner = nullptr;
  std::coroutine_handle<> awaited_by;  // null: it is spawned
};

template <class T>
struct promise_result : promise_base {
  template <class U = T>
    requires std::is_convertible_v<U&&, T>
  void return_value(U&& value) {
    into->set(std::forward<U>(value));
  }
  outcome<T>* into = nullptr;  // the awaiter's, or that of the spawned task
};
template <>
struct promise_result<void> : promise_base {
  void return_void() const noexcept {}
  outcome<void>* into = nullptr;
};

/// What a spawned task has beside its frame.
template <class T>
struct spawned : core::coroutine {
  spawned(const core::coroutine_kind& k, std::uint8_t block_class) noexcept
      : core::coroutine(k, block_class) {}
  outcome<T> result;
};

/// The block that a frame lies in: in front of it is room for what the frame becomes when it is
/// spawned. That stays until the handle goes; the frame, which holds the arguments, goes when the
/// task ends. Compilers may leave out the allocation of a frame that is not spawned: nothing else
/// looks in here.
template <class T>
class alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) frame_block {
 public:
  static void* allocate(std::size_t frame_size) {
    const std::size_t size = sizeof(frame_block) + frame_size;
    return ::new (core::allocate_frame(size)) frame_block(size) + 1;  // NOLINT
  }
  static frame_block& of(void* frame) noexcept { return *(static_cast<frame_block*>(frame) - 1); }

  spawned<T>& spawn() noexcept {
    return *::new (static_cast<void*>(bytes_)) spawned<T>(free, size_class());
  }
  void frame_has_gone() noexcept {
    if (!is_spawned()) core::release_frame(this, size_class());
  }

 private:
  explicit frame_block(std::size_t size) noexcept {
    is_spawned() = 0;
    size_class() = core::frame_class_of(size);
  }
  ~frame_block() = delete;

  static spawned<T>& as_spawned(core::coroutine& c) noexcept { return static_cast<spawned<T>&>(c); }
  static std::exception_ptr failure(core::coroutine& c) noexcept {
    return as_spawned(c).result.error();
  }
  /// The last of it.
  static void release(core::coroutine& c) noexcept {
    spawned<T>& s = as_spawned(c);
    const std::uint8_t size_class = c.size_class;
    std::destroy_at(&s);
    core::release_frame(&s, size_class);
  }
  static const core::coroutine_kind free;
  static const core::coroutine_kind bound;

  // The last two members of a coroutine, whether or not there is one.
  unsigned char& is_spawned() noexcept { return bytes_[sizeof(core::coroutine) - 1]; }
  unsigned char& size_class() noexcept { return bytes_[sizeof(core::coroutine) - 2]; }

  // A spawned<T>, once there is one.
  alignas(spawned<T>) unsigned char bytes_[sizeof(spawned<T>)];
};
static_assert(sizeof(void*) != 8 || sizeof(frame_block<void>) <= 128);

template <class T>
constexpr core::coroutine_kind frame_block<T>::free{
    {"task", core::coroutine::run, core::coroutine::wake, core::coroutine::arrive},
    sizeof(frame_block),
    failure,
    release,
    &free,
    &bound};
template <class T>
constexpr core::coroutine_kind frame_block<T>::bound{
    {"task", core::coroutine::run_bound, core::coroutine::wake_bound},
    sizeof(frame_block),
    failure,
    release,
    &free,
    &bound};

template <class T>
struct promise final : promise_result<T> {
  static void* operator new(std::size_t size) { return frame_block<T>::allocate(size); }
  static void operator delete(void* frame, std::size_t) noexcept {
    frame_block<T>::of(frame).frame_has_gone();
  }

  task<T> get_return_object() noexcept;
  void unhandled_exception() noexcept {
    this->into->fail(std::current_exception());
    if (!this->awaited_by) this->owner->failed = !this->ends_cancelled();
  }

  std::coroutine_handle<promise> handle() noexcept {
    return std::coroutine_handle<promise>::from_promise(*this);
  }
  /// Makes the frame a coroutine of its own.
  spawned<T>& become_spawned() noexcept {
    spawned<T>& self = frame_block<T>::of(handle().address()).spawn();
    this->owner = &self;
    this->into = &self.result;
    return self;
  }
};

}  // namespace detail

/// A lazy computation of a T (any type that can be moved, a reference, or void). Await it once, as
/// an rvalue: `co_await std::move(t)` or `co_await f()`; or give it to spawn() or block_on().
/// Exceptions travel to whoever awaits. One that is never awaited never runs. One that was moved
/// from is empty: to await, spawn or block_on it throws std::logic_error.
template <class T = void>
class [[nodiscard]] task {
 public:
  using value_type = T;
  using promise_type = detail::promise<T>;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  task& operator=(task&& other) noexcept {
    task(std::move(other)).swap(*this);
    return *this;
  }
  ~task() {
    if (frame_) frame_.destroy();
  }
  void swap(task& other) noexcept { std::swap(frame_, other.frame_); }

  /// False for one that was moved from.
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

  class awaiter : public detail::awaiter_base {
   public:
    explicit awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    awaiter(const awaiter&) = delete;
    awaiter& operator=(const awaiter&) = delete;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
      requires std::is_base_of_v<detail::promise_base, Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
      promise_type& mine = frame_.promise();
      mine.into = &result_;
      mine.owner = awaiting.promise().owner;
      mine.awaited_by = awaiting;
      mine.owner->hand_over(frame_);
    }
    T await_resume() { return result_.take(); }

   private:
    std::coroutine_handle<promise_type> frame_;
    detail::outcome<T> result_;
  };
  awaiter operator co_await() && {
    check();
    return awaiter(frame_);
  }

  /// For spawn and block_on: the frame, which is now theirs.
  std::coroutine_handle<promise_type> release() {
    check();
    return std::exchange(frame_, {});
  }

 private:
  friend promise_type;
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  void check() const {
    if (!frame_) detail::misuse("weft: a task that is empty: it was moved from");
  }

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() noexcept {
  return task<T>(handle());
}

inline bool promise_base::ends_cancelled() const noexcept {
  if (!owner->is_cancelled()) return false;
  try {
    throw;
  } catch (const cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace detail

}  // namespace weft::inline v0
