// SPDX-License-Identifier: MIT
// waiters: the tiny lock of a primitive, and the queue of those who wait for it. For whatever one
// party completes: permits, events, latches, what is published. (Channels, where two parties that
// wait complete each other, have lists of their own.)
//
//   - Under the lock: the primitive's own few words and this list; nothing allocates, no user code.
//   - Whom a holder completes is woken once the lock is free. Until then its task is parked, so its
//     record stays where it is. Unlocking is the last touch of the primitive: whoever is woken, or
//     sees its new state, may destroy it.
//   - A record in the queue may belong to a perform that is decided already: whoever meets it drops
//     it. models/: Source of twice, half_published_event, cancel_*.
#pragma once

#include "weft/config.hpp"
#include "weft/core/channel.hpp"
#include "weft/core/list.hpp"
#include "weft/core/lock.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

class waiters {
 public:
  waiters() noexcept = default;
  waiters(const waiters&) = delete;
  waiters& operator=(const waiters&) = delete;

  /// The lock, held by whoever completes nobody.
  class looking {
   public:
    explicit looking(waiters& of) noexcept : of_(of) { of_.lock_.lock(); }
    looking(const looking&) = delete;
    looking& operator=(const looking&) = delete;
    ~looking() { of_.lock_.unlock(); }
    bool anybody() const noexcept { return !of_.queue_.empty(); }

   private:
    waiters& of_;
  };

  /// The lock, held.
  class holding {
   public:
    explicit holding(waiters& of) noexcept : of_(of) { of_.lock_.lock(); }
    holding(const holding&) = delete;
    holding& operator=(const holding&) = delete;
    ~holding() {
      of_.lock_.unlock();
      if (!completed_.empty()) wake_completed();
    }

    bool anybody() const noexcept { return !of_.queue_.empty(); }
    wait_record* first() noexcept { return of_.queue_.front(); }
    wait_record* after(wait_record& r) noexcept { return of_.queue_.after(r); }
    void append(wait_record& r) noexcept { of_.queue_.push_back(r); }

    /// Of a record in the queue: takes it off and ends its wait. False: that was decided already.
    bool complete(wait_record& r) noexcept {
      r.unlink();
      if (!r.owner->complete(r.owner->generation(), r.arm)) return false;
      wake_later(r);
      return true;
    }
    /// Of the oldest that still waits. False: there is none.
    bool complete_first() noexcept {
      while (wait_record* r = first())
        if (complete(*r)) return true;
      return false;
    }
    void complete_all() noexcept {
      while (complete_first()) continue;
    }
    /// r's wait has been ended, and it is in no list.
    void wake_later(wait_record& r) noexcept { completed_.push_back(r); }

    /// Completes the performer, which has begun and owns r, by itself.
    static pass complete_performer(wait_record& r) noexcept {
      task& t = *r.owner;
      return t.complete(t.generation(), r.arm) ? pass::done : pass::decided;
    }
    /// False: it was not in the queue any more.
    bool retract(wait_record& r) noexcept {
      if (!r.linked()) return false;
      r.unlink();
      return true;
    }

   private:
    WEFT_API void wake_completed() noexcept;

    waiters& of_;
    list<wait_record> completed_;
  };

 private:
  tiny_lock lock_;
  list<wait_record> queue_;
};

}  // namespace weft::inline v0::core
