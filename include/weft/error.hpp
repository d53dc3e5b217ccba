// SPDX-License-Identifier: MIT
// The exceptions of weft. What fails in the world is a result<T> (result.hpp); these are for misuse
// and for what unwinds.
#pragma once

#include <exception>
#include <stdexcept>

#include "weft/config.hpp"

namespace weft::inline v0 {

/// Thrown by every perform of a task that was cancelled, until it ends; by a join, when the task
/// joined ended so. Catch it to clean up, and throw it on.
class WEFT_API cancelled : public std::exception {
 public:
  const char* what() const noexcept override;
};

/// Thrown by block_on: every task waits, and nothing can wake one.
class WEFT_API deadlock : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~deadlock() override;
};

/// Thrown when a scope's own deadline has passed.
class WEFT_API timed_out : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~timed_out() override;
};

namespace detail {
/// Throws std::logic_error.
[[noreturn]] WEFT_API void misuse(const char* what);
}  // namespace detail

}  // namespace weft::inline v0
