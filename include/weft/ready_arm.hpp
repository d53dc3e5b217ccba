// SPDX-License-Identifier: MIT
// ready_arm: the arm of an operation that waits until something is so. Source refers to it:
//   core::waiters& of->waiting()    its lock, and those who wait
//   bool of->ready()                under the lock: whether it is so. Once true it stays true until
//                                   the performer itself takes what has come.
#pragma once

#include <cstdint>
#include <utility>

#include "weft/core/waiters.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0::detail {

template <class Source>
class ready_arm : public single_arm<> {
 public:
  explicit ready_arm(Source of) noexcept : of_(std::move(of)) {}

  bool attempt(performer&) noexcept {
    const core::waiters::looking held(of_->waiting());
    return of_->ready();
  }
  core::pass publish(performer& p, std::uint32_t index) noexcept {
    core::wait_record& r = record_of(p, index);
    core::waiters::holding held(of_->waiting());
    if (of_->ready()) return held.complete_performer(r);
    held.append(r);
    return core::pass::wait;
  }
  void retract(performer&) noexcept {
    core::waiters::holding held(of_->waiting());
    held.retract(record_);
  }

 protected:
  Source of_;
};

/// The operation that only waits until it is so.
template <class Source>
class [[nodiscard]] ready_operation : public operation<ready_operation<Source>> {
 public:
  using result_type = void;
  static constexpr bool shared = true;
  static constexpr const char* what = "event";

  class arm : public ready_arm<Source> {
   public:
    explicit arm(const ready_operation& op) noexcept : ready_arm<Source>(op.of_) {}
    void settle(performer&) noexcept {}
  };

  explicit ready_operation(Source of) noexcept : of_(std::move(of)) {}

 private:
  Source of_;
};

}  // namespace weft::inline v0::detail
