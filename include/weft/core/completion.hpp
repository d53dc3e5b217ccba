// SPDX-License-Identifier: MIT
// completion: what somebody who is not a worker (a native thread, a foreign library, a helper
// thread of our own) holds instead of a pointer into a fiber. It is reference-counted and has a
// state word of its own; finish() may come from any thread, at any time, also after the waiter has
// gone.
//
//   state   pending -> finished, by finish() alone, once; a second finish() is refused.
//   home    finish() posts the completion itself to its home worker; there, and only there, the
//           waiter is looked at. So the waiter's perform stays plain: no locked instruction.
//   waiter  a record of the performer, touched on home alone; null once it has lost interest.
// A completion counts as a source of its worker from creation until it arrives at home: while one
// is pending, an idle worker is waiting, not deadlocked. It may outlive its worker: a late finish()
// then finds the mailbox closed, and gives up the reference. models/: the waiter's side is local's,
// as if of a timer. The Source of twice and half_published_event completes the performer's own word
// from another thread: what a completion spares the performer.
#pragma once

#include <cstdint>

#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::core {

class WEFT_API completion : public task {
 public:
  /// On home. One reference for the waiter, one for the one who will finish it.
  explicit completion(worker& home) noexcept;
  completion(const completion&) = delete;
  completion& operator=(const completion&) = delete;

  /// Any thread, once, giving up that reference. False: it was finished before (and nothing
  /// happens).
  bool finish() noexcept;

  /// Nobody will see the result any more. Any thread.
  bool is_home_gone() const noexcept { return home_.is_gone(); }
  /// On home: true once the result may be read. What the finisher wrote before finish() is visible.
  bool arrived() const noexcept { return arrived_; }
  /// On home: r's owner is completed with r.arm when the completion arrives. Retract with
  /// r.unlink().
  void await(wait_record& r) noexcept { waiters_.push_back(r); }

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

 protected:
  virtual ~completion();

 private:
  static void run_at_home(task& t, worker& w);
  static const task_kind kind_table;

  mailbox& home_;
  atomic<int> references_{2};
  atomic<bool> finished_{false};
  bool arrived_ = false;
  list<wait_record> waiters_;
};

}  // namespace weft::inline v0::core
