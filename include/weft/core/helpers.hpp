// SPDX-License-Identifier: MIT
// helpers: threads for what would block a worker. One pool a process: it grows on demand up to
// helper_limit, and a thread that has had nothing to do for a while leaves.
#pragma once

#include <cstddef>
#include <memory>

#include "weft/config.hpp"

namespace weft::inline v0::core {

inline constexpr std::size_t helper_limit = 64;

/// What a helper does.
class WEFT_API helper_job {
 public:
  helper_job() noexcept = default;
  helper_job(const helper_job&) = delete;
  helper_job& operator=(const helper_job&) = delete;
  virtual ~helper_job();
  virtual void run() noexcept = 0;
};

/// Any thread: runs it on a helper, in turn when all are busy. Throws std::system_error if there is
/// no helper and the system refuses a thread. At the end of the process, jobs that have not begun
/// are dropped, and those that run are not waited for.
WEFT_API void run_on_helper(std::unique_ptr<helper_job> job);

}  // namespace weft::inline v0::core
