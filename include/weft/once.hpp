// SPDX-License-Identifier: MIT
// once: runs one task of many that are offered; whoever comes meanwhile waits for its end.
// Tests: tests/task/meeting_test.cpp.
#pragma once

#include <utility>

#include "weft/core/seams.hpp"
#include "weft/mutex.hpp"
#include "weft/spawn.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

class once {
 public:
  once() noexcept = default;
  once(const once&) = delete;
  once& operator=(const once&) = delete;

  /// `co_await o.call(f, args...)`: awaits f(args...), a task, unless one has succeeded before;
  /// when it returns, one has. If f throws (`cancelled`, too) so does this, and the next in line
  /// tries. True: it was this call's f. Not from inside f.
  template <class F, class... Args>
    requires detail::makes_task<F, Args...>
  task<bool> call(F f, Args... args) {
    if (is_done()) co_return false;
    const mutex::guard turn = co_await turn_.lock();
    if (is_done()) co_return false;
    co_await detail::make_task(std::move(f), std::move(args)...);
    done_.store(true, std::memory_order_release);
    co_return true;
  }

  /// Whether one has succeeded. Any thread.
  bool is_done() const noexcept { return done_.load(std::memory_order_acquire); }

 private:
  mutex turn_;
  core::atomic<bool> done_{false};
};

}  // namespace weft::inline v0
