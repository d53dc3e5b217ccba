// SPDX-License-Identifier: MIT
// task_info: what runtime::tasks() and the watchdog tell of a task.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "weft/config.hpp"
#include "weft/core/coroutine.hpp"

namespace weft::inline v0 {

using core::task_state;

struct WEFT_API task_info {
  task_info() noexcept {}
  explicit task_info(const core::coroutine_report& r);

  std::uint32_t id = 0;
  std::string name;  // empty unless it was given one
  task_state state = task_state::fresh;
  const char* waiting = nullptr;       // for what, if it is parked; a static string
  std::chrono::milliseconds since{0};  // how long it has been parked
  unsigned worker = 0;                 // that runs it, or ran it last
  const void* code = nullptr;          // its function

  /// The name of its function, if the program exports it (-rdynamic); else where its code is, for
  /// addr2line: "program+0x1234".
  std::string function() const;
  /// All of it in a line: "task 7 'fetch' (program+0x1234) parked 20 ms on worker 1: receive".
  std::string text() const;
};

/// Gives the calling task a name for reports, which goes when the task does. Throws
/// std::logic_error outside one.
WEFT_API void set_task_name(std::string name);
/// The number of the calling task. Throws std::logic_error outside one.
WEFT_API std::uint32_t task_id();

}  // namespace weft::inline v0
