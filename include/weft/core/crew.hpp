// SPDX-License-Identifier: MIT
// crew: workers that share their unpinned tasks. A wake-up costs microseconds, a core that sleeps
// tens of them: the question is how rarely.
//
//   - Whoever makes a task ready offers it: somebody is woken only if nobody is searching already.
//   - A searcher takes the oldest tasks of others, but not a worker's only one while that worker
//     gets on: tasks that talk to each other stay together. It looks for a while before it parks,
//     unless all others sleep.
//   - What a searcher took and was done with at once had better stayed where it was: it lets the
//     others get on for a moment, each time for longer, before it takes the next.
//   - The last task of a worker that is stuck in user code is taken too: while somebody works and
//     others are parked, one of these, the watcher, looks again every millisecond.
//   - Offers rely on who searches or watches. So whoever has done that and goes on to run a task,
//     which may block, wakes another one to do it, unless there is one.
// Offering costs no fence: whoever parks first says so, then makes every thread's stores visible
// (membarrier), then looks once more: as the `wake` of models/, with the fence on one side. Where
// the kernel has no membarrier, offers pay a fence. models/: crew.pml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "weft/config.hpp"
#include "weft/core/lock.hpp"
#include "weft/core/run_queue.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::core {

class WEFT_API crew {
 public:
  crew() noexcept;
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  /// Before any of them runs.
  void add(worker& w);
  unsigned size() const noexcept { return static_cast<unsigned>(members_.size()); }

  /// Any thread: makes an unpinned task runnable on whichever worker comes first.
  void inject(task& t) noexcept;

  // ---- called by workers ----

  task* take_injected() noexcept;
  /// Makes w's share of what was injected ready on w; false: there was none.
  bool share_injected(worker& w) noexcept;

  /// There are `here` ready tasks on the calling worker.
  void offer(std::size_t here) noexcept {
    if (fences_) [[unlikely]]
      std::atomic_thread_fence(std::memory_order_seq_cst);
    if (parked_.load(std::memory_order_relaxed) != 0) rouse_one(here);
  }
  /// Looks for work for w, for a while; true: something is ready on w now.
  bool search(worker& w) noexcept;
  /// w has said that it is parked. False: there is work after all. May shorten the wait.
  bool begin_park(worker& w, nanoseconds& limit) noexcept;
  void end_park(worker& w) noexcept;
  /// w goes on to run tasks: if it has looked for others' until now, somebody else does from here
  /// on.
  void go_to_work(worker& w) noexcept {
    if (std::exchange(members_[w.index()].on_duty, false)) hand_on();
  }

 private:
  struct member {
    worker* at;
    bool parked = false;         // under lock_; so are the others
    bool roused = false;         // counts as searching until it has woken
    bool watcher = false;        // looks again soon
    bool on_duty = false;        // its own: others rely on it to look
    std::uint32_t progress = 0;  // as seen at `looked`
    nanoseconds looked = 0;
    nanoseconds found = 0;     // its own, as is the next: when a search of its found something
    nanoseconds patience = 0;  // how long it does not look
    explicit member(worker* w) noexcept : at(w) {}
  };

  void rouse_one(std::size_t here) noexcept;
  void hand_on() noexcept;
  task* take(worker& w) noexcept;
  /// Waits for its turn to search, for a while; false: in vain, or it has mail.
  bool begin_search(worker& w, nanoseconds begin) noexcept;
  task* look_around(worker& w, nanoseconds begin) noexcept;
  task* take_stuck(worker& w) noexcept;
  bool anything_ready() const noexcept;
  /// Whether there is another worker whose tasks may make some ready.
  bool others_run(const worker& w) const noexcept;

  bool fences_;
  std::vector<member> members_;
  alignas(64) std::mutex lock_;
  alignas(64) atomic<unsigned> parked_{0};  // all read it at each offer: away from what is written
  alignas(64) atomic<unsigned> searching_{0};
  atomic<bool> watching_{false};  // a parked worker looks again soon; written under lock_
  alignas(64) tiny_lock injected_lock_;
  run_queue injected_;
  atomic<std::size_t> injected_count_{0};
};

}  // namespace weft::inline v0::core
