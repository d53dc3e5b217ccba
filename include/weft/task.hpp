// SPDX-License-Identifier: MIT
// task<T>: a computation that may wait, written as a coroutine. Lazy (it begins when it is awaited
// or spawned), move-only. A frame that waits for another one needs no stack: a million nested
// awaits are fine in any build.
#pragma once

#include <coroutine>
#include <cstddef>
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

/// What every frame of ours begins with. owner: the coroutine that it runs as, its own (`self`,
/// made when it is spawned) or that of the frame that awaits it.
struct promise_base {
  promise_base() noexcept {}
  promise_base(const promise_base&) = delete;
  promise_base& operator=(const promise_base&) = delete;
  ~promise_base() {
    if (owner == &self) std::destroy_at(&self);
  }

  static void* operator new(std::size_t size) { return core::allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    core::release_frame(frame, size);
  }

  std::suspend_always initial_suspend() const noexcept { return {}; }

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
  std::coroutine_handle<> awaited_by;
  union {
    core::coroutine self;
  };
};

template <class T>
struct promise_result : promise_base {
  template <class U = T>
    requires std::is_convertible_v<U&&, T>
  void return_value(U&& value) {
    result.set(std::forward<U>(value));
  }
  outcome<T> result;
};
template <>
struct promise_result<void> : promise_base {
  void return_void() const noexcept {}
  outcome<void> result;
};

template <class T>
struct promise final : promise_result<T> {
  task<T> get_return_object() noexcept;
  void unhandled_exception() noexcept {
    this->result.fail(std::current_exception());
    if (this->owner == &this->self) this->self.failed = !this->ends_cancelled();
  }

  std::coroutine_handle<promise> handle() noexcept {
    return std::coroutine_handle<promise>::from_promise(*this);
  }
  /// Makes the frame a coroutine of its own.
  core::coroutine& become_coroutine() noexcept {
    ::new (&this->self) core::coroutine(handle());
    this->owner = &this->self;
    this->self.failure = [](core::coroutine& c) noexcept {
      return std::coroutine_handle<promise>::from_address(c.frame.address())
          .promise()
          .result.error();
    };
    return this->self;
  }
};

}  // namespace detail

/// A lazy computation of a T (any type that can be moved, a reference, or void). Await it once, as
/// an rvalue: `co_await std::move(t)` or `co_await f()`; or give it to spawn() or block_on().
/// Exceptions travel to whoever awaits. One that is never awaited never runs.
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

  class awaiter {
   public:
    explicit awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    bool await_ready() const noexcept { return false; }
    template <class Promise>
      requires std::is_base_of_v<detail::promise_base, Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) const noexcept {
      promise_type& mine = frame_.promise();
      mine.owner = awaiting.promise().owner;
      mine.awaited_by = awaiting;
      mine.owner->hand_over(frame_);
    }
    T await_resume() const { return frame_.promise().result.take(); }

   private:
    std::coroutine_handle<promise_type> frame_;
  };
  awaiter operator co_await() && noexcept { return awaiter(frame_); }

  /// For spawn and block_on: the frame, which is now theirs.
  std::coroutine_handle<promise_type> release() noexcept { return std::exchange(frame_, {}); }

 private:
  friend promise_type;
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

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

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

}  // namespace detail

}  // namespace weft::inline v0
