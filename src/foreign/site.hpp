// SPDX-License-Identifier: MIT
// site: a host on a weft worker. Fibers and tasks of the worker ask, and wait with their records in
// the call's list.
//
// turn_ goes through the run queue behind whatever has asked: it wakes the pollers, once for all,
// delivers, and looks again while something is pending and nobody else is ready. Only when that was
// in vain does it arm the host, so that bell_ comes through the worker's inbox. The site is a
// source of its worker while calls are pending.
#pragma once

#include <memory>

#include "foreign/host.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::foreign {

class WEFT_API site {
 public:
  struct retirer {
    void operator()(site* s) const noexcept { s->retire(); }
  };
  /// Goes before the worker does.
  using pointer = std::unique_ptr<site, retirer>;

  /// Null: not enough memory.
  static pointer make(core::worker& w) noexcept;
  site(const site&) = delete;
  site& operator=(const site&) = delete;

  /// As host::post.
  host::posting post(queue& to, const request& what, core::nanoseconds deadline) noexcept;
  /// As host::leave.
  void leave(call& c) noexcept;
  /// The call, which is of this site and whose waits are for parts, expires at that time unless it
  /// has been answered.
  void bound(call& c, core::nanoseconds deadline) noexcept;
  /// As host::forget; then it can only be retired.
  void forget_host() noexcept { host_.release()->forget(); }
  /// Before another worker's loop runs on this thread.
  void flush() noexcept { host_->flush(); }

 private:
  struct part_task : core::task {
    part_task(const core::task_kind& k, site& s) noexcept : core::task(k), of(s) {}
    site& of;
  };

  explicit site(core::worker& w) noexcept;
  ~site() = default;
  /// Leaves all calls; what the worker still has of it runs first.
  void retire() noexcept;
  void delete_if_idle() noexcept;
  static void notify(void* context) noexcept;
  static void run_bell(core::task& t, core::worker& w);
  static void run_turn(core::task& t, core::worker& w);
  static void expire(core::task& t) noexcept;
  static const core::task_kind bell_kind;
  static const core::task_kind turn_kind;
  static const core::task_kind expiry_kind;

  void turn() noexcept;
  void queue_turn() noexcept;
  void count_source() noexcept;

  core::worker& worker_;
  host::pointer host_;
  part_task bell_;
  part_task turn_;
  part_task expiry_;                // owns the calls' records in the wheel; never runs
  core::atomic<bool> rung_{false};  // bell_ is in the inbox
  bool queued_ = false;             // turn_ is in the run queue
  bool is_source_ = false;
};

}  // namespace weft::inline v0::foreign
