// SPDX-License-Identifier: MIT
// task_scope: a scope of C++ tasks, which may run on several workers at once. It ends when its body
// has left and its children have ended; its first failure cancels the others and is kept for
// whoever waits for the end.
//
//   shards    a list of children with its tiny lock and count, one a worker for scopes that many
//             tasks are spawned in at once, else one. In plain form (not concurrent) no lock.
//   open_     how many shards have live children, and one for the body; under end_lock_. Only what
//             is inside spawns into it, so it never comes back from zero. Whoever brings it to zero
//             wakes the closer, and unlocking is its last touch: the closer takes end_lock_ once
//             more before the scope is gone.
// Cancellation is a flag that its tasks look at before and after they publish a wait, and an
// interruption of those that are parked. It reaches scopes inside through their openers, which are
// children: each cancels its scope when it is interrupted. models/: scope_end.pml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "weft/config.hpp"
#include "weft/core/coroutine.hpp"
#include "weft/core/list.hpp"
#include "weft/core/lock.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0::core {

class scope_list;

struct WEFT_API task_scope : list_node {
  /// shards: 1, or the number of workers. known_to: where reports find it, or null.
  explicit task_scope(bool is_concurrent, unsigned shards = 1, scope_list* known_to = nullptr);
  task_scope(const task_scope&) = delete;
  task_scope& operator=(const task_scope&) = delete;
  ~task_scope();

  // ---- children; by what is inside the scope ----
  void adopt(coroutine& c, unsigned worker_index) noexcept;
  /// Takes c, which has ended, off its list.
  void forget(coroutine& c) noexcept;
  /// An end has been counted: the last touch of the scope by that child.
  void count_down(unsigned shard) noexcept;

  // ---- the body ----
  /// The coroutine that the body runs in stands inside, and outside again.
  void enter(coroutine& by) noexcept;
  void exit() noexcept;
  /// The body has left. `closer` is completed with arm 0 and woken when nothing is left.
  void leave(task& closer) noexcept;
  /// Nothing is left. After the closer was woken or has published its wait (with a new generation):
  /// true ends the scope, false lets the last child complete it.
  bool ended() noexcept;
  /// After the end: failures whose handles still live, unjoined, become the scope's as
  /// well.
  void collect_failures() noexcept;

  /// Keeps the first failure, tells the others on stderr, and cancels the rest, unless its children
  /// stand alone. Whoever keeps the scope open.
  void fail(std::exception_ptr e) noexcept;
  /// Whoever keeps the scope open.
  void cancel() noexcept;

  /// Ends every wait of a child, shielded or not: after cancel(), when nothing else gets on.
  void interrupt_all() noexcept;

  /// How many children there are, and what they do: as many of them as there is room for. Any
  /// thread, if it is concurrent.
  std::size_t count_children() noexcept;
  std::size_t report(std::span<coroutine_report> into) noexcept;

  bool is_cancelled() const noexcept { return cancelled_.load(std::memory_order_seq_cst); }
  /// After the end.
  std::exception_ptr failure() const noexcept { return failure_; }

  /// What a failure does: it is kept and ends the others, or the children stand alone: it is told
  /// on stderr, or kept for take_failure().
  enum class failing : std::uint8_t { together, alone, alone_and_kept };
  void let_fail(failing f) noexcept;
  /// What it has kept: from here on that is nothing. Whoever keeps the scope open.
  std::exception_ptr take_failure() noexcept;

  const bool concurrent;
  bool shield = false;
  task_scope* outer = nullptr;  // the opener stood there before
  coroutine* opener = nullptr;

 private:
  struct shard {
    tiny_lock lock;
    list<coroutine> children;
    std::size_t live = 0;  // children whose end has not been counted
    char apart[24];        // two in one cache line would slow each other down
  };
  shard& at(unsigned i) noexcept { return i == 0 ? first_ : more_[i - 1]; }
  void interrupt_children(shard& s, std::uint32_t shields) noexcept;

  unsigned shards_;
  scope_list* known_to_;
  std::uint32_t depth_ = 0;  // shields that the opener stood in
  atomic<bool> cancelled_{false};
  tiny_lock end_lock_;
  std::size_t open_ = 1;
  task* closer_ = nullptr;
  failing fails_ = failing::together;  // under end_lock_, as is the failure until the end
  std::exception_ptr failure_;
  shard first_;
  std::unique_ptr<shard[]> more_;
};

inline bool coroutine::is_cancelled() const noexcept {
  // What it has opened itself lies inside the scope that it was spawned in.
  const task_scope* s = innermost;
  for (; s->opener == this; s = s->outer) {
    if (s->is_cancelled()) return true;
    if (s->shield) return false;
  }
  return life.has(lifecycle::cancelled) || s->is_cancelled();
}

/// The open scopes of a runtime. Any thread; but with one worker the reports are of its thread.
class WEFT_API scope_list {
 public:
  void add(task_scope& s) noexcept;
  void remove(task_scope& s) noexcept;
  /// All tasks that there are just now.
  std::vector<coroutine_report> report();

 private:
  std::mutex lock_;
  list<task_scope> scopes_;
};

/// Prints a failure that nobody is left to hear of.
void tell_lost(std::exception_ptr failure) noexcept;
/// Hands the failure of c, whose handle goes unjoined, to its scope if that is still open.
WEFT_API void hand_over_failure(coroutine& c) noexcept;

}  // namespace weft::inline v0::core
