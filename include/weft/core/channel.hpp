// SPDX-License-Identifier: MIT
// channel: the one channel algorithm, over a lock policy and a value mover. Lua's local channel
// (no_lock, lua_xmove), C++ channel<T> and the shared channel are this template.
//
// Invariants, outside the lock:
//   - a getter waits only while the buffer is empty and no putter that it could meet waits;
//   - a putter waits only while the buffer is full: each place holds a value or is reserved.
//   Whoever
//     waits to reserve one stands in the putters' queue, and meets nobody;
//   - nobody waits on a closed channel;
//   - waiters are first in, first out, and nobody passes a queued waiter.
// With no_lock a record in a list may belong to a perform that is decided already (its owner has
// not resumed yet): whoever meets it drops it. Retraction is record.unlink() on the owner's worker;
// on a shared channel it is retract(), under the lock.
//
// A mover moves one value, each function at most once an operation:
//   give(record&)    mine to a waiting getter          take(record&)    a waiting putter's to me
//   store()          mine into the buffer              load()           the buffer's oldest to me
//   refill(record&)  a waiting putter's into the buffer
//   wake(task&)      the partner, once the lock is free
// and, where places are reserved, says of a waiting putter whether it wants but a place:
//   reserves(const record&)
// The caller of a try or of publish is running, so its own value is at hand. With no_lock a mover
// may raise a Lua error from store(): it runs before anything has changed.
//
// models/: put_get, two_putters, two_putters_one_channel, crossed, ring, half_published*, self,
// self_third, close, close_crossed, buffered, buffered_choice, buffered_self, storm; without a
// lock: local, local_mixed; what is reserved: reserve.pml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "weft/core/claim.hpp"
#include "weft/core/lock.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

enum class pass : std::uint8_t {
  done,     // the value has moved
  closed,   // nothing moved: the channel is closed (and drained, for a get)
  wait,     // nothing moved: not ready
  decided,  // publish only: another arm, or another thread, has completed the performer
};

inline constexpr std::size_t unbounded = SIZE_MAX;

template <class Lock>
class channel {
 public:
  static constexpr bool shared = Lock::shared;

  explicit channel(std::size_t capacity) noexcept : capacity_(capacity) {}

  std::size_t size() const noexcept { return locked(count_); }
  std::size_t capacity() const noexcept { return capacity_; }
  bool closed() const noexcept { return locked(closed_); }
  /// Closed, and nothing is left to get: for good.
  bool drained() const noexcept {
    lock_.lock();
    const bool over = closed_ && count_ == 0;
    lock_.unlock();
    return over;
  }

  template <class Mover>
  pass try_put(Mover&& mover) {
    task* partner = nullptr;
    lock_.lock();
    const pass result = put_now(mover, partner);
    lock_.unlock();
    if (partner) mover.wake(*partner);
    return result;
  }

  template <class Mover>
  pass try_get(Mover&& mover) {
    task* partner = nullptr;
    lock_.lock();
    const pass result = get_now(mover, partner);
    lock_.unlock();
    if (partner) mover.wake(*partner);
    return result;
  }

  /// A place for a value that is put later, with put_reserved(), or given back, with unreserve().
  pass try_reserve() noexcept
    requires shared
  {
    lock_.lock();
    const pass result = closed_ ? pass::closed : is_full() ? pass::wait : pass::done;
    if (result == pass::done) ++reserved_;
    lock_.unlock();
    return result;
  }
  template <class Mover>
  pass put_reserved(Mover&& mover)
    requires shared
  {
    task* getter = nullptr;
    task* next = nullptr;
    lock_.lock();
    --reserved_;
    const bool open = !closed_;
    if (open) put_in_place(mover, getter, next);
    lock_.unlock();
    if (getter) mover.wake(*getter);
    if (next) mover.wake(*next);
    return open ? pass::done : pass::closed;
  }
  template <class Mover>
  void unreserve(Mover&& mover) noexcept
    requires shared
  {
    task* next = nullptr;
    lock_.lock();
    --reserved_;
    refill(mover, next);
    lock_.unlock();
    if (next) mover.wake(*next);
  }

  /// Leaves a record of a performer that has begun and tried just before: nothing else has run
  /// since, so there is no second look.
  void publish_put(wait_record& r) noexcept
    requires(!shared)
  {
    putters_.push_back(r);
  }
  void publish_get(wait_record& r) noexcept
    requires(!shared)
  {
    getters_.push_back(r);
  }

  /// Leaves a record of a performer that has begun. wait: it is linked, and the performer suspends.
  template <class Mover>
  pass publish_put(wait_record& r, Mover&& mover)
    requires shared
  {
    return publish(r, putters_, mover, [&](task*& partner) { return look_put(r, mover, partner); });
  }
  template <class Mover>
  pass publish_get(wait_record& r, Mover&& mover)
    requires shared
  {
    return publish(r, getters_, mover, [&](task*& partner) { return look_get(r, mover, partner); });
  }

  /// A try and, where that would wait, the publication, of a performer that waits for nothing else:
  /// within one critical section there is nothing to look for again. `begin` begins the performer.
  template <class Mover, class Begin>
  pass put_or_publish(wait_record& r, Mover&& mover, Begin begin)
    requires shared
  {
    return now_or_later(r, putters_, mover, begin,
                        [&](task*& partner) { return put_now(mover, partner); });
  }
  template <class Mover, class Begin>
  pass get_or_publish(wait_record& r, Mover&& mover, Begin begin)
    requires shared
  {
    return now_or_later(r, getters_, mover, begin,
                        [&](task*& partner) { return get_now(mover, partner); });
  }

  template <class Mover>
  pass publish_reserve(wait_record& r, Mover&& mover)
    requires shared
  {
    return publish(r, putters_, mover, [&](task*&) { return look_reserve(r); });
  }

  /// Whether a try would not wait: exact, as everything runs on one worker, but for a waiter that
  /// another thread is at work on.
  bool can_put() noexcept
    requires(!shared)
  {
    return closed_ || !is_full() || anybody(getters_);
  }
  bool can_get() noexcept
    requires(!shared)
  {
    return count_ > 0 || closed_ || anybody(putters_);
  }

  /// Takes back the record of a performer that has been decided by another arm.
  void retract(wait_record& r) noexcept {
    lock_.lock();
    if (r.linked()) r.unlink();
    lock_.unlock();
  }

  /// Wakes every waiter with `closed`; what is in the buffer can still be got. False: it was
  /// closed.
  bool close() noexcept {
    lock_.lock();
    const bool first = !closed_;
    closed_ = true;
    for (list<wait_record>* waiters : {&getters_, &putters_})
      while (wait_record* r = waiters->pop_front()) {
        task& t = *r->owner;
        if (!complete(t, r->arm)) continue;
        t.closed = true;
        t.kind->wake(t);
      }
    lock_.unlock();
    return first;
  }

 private:
  /// A copy of a member, for whoever only asks.
  template <class T>
  T locked(const T& member) const noexcept {
    lock_.lock();
    const T copy = member;
    lock_.unlock();
    return copy;
  }

  bool is_full() const noexcept { return count_ + reserved_ >= capacity_; }

  template <class Mover>
  static bool wants_place(const wait_record& r) noexcept {
    if constexpr (requires { std::remove_reference_t<Mover>::reserves(r); })
      return std::remove_reference_t<Mover>::reserves(r);
    return false;
  }

  /// Whether a waiter can still be completed; drops those that cannot.
  static bool anybody(list<wait_record>& waiters) noexcept {
    while (wait_record* r = waiters.front()) {
      if (r->owner->is_waiting()) return true;
      r->unlink();
    }
    return false;
  }

  static bool complete(task& t, std::uint32_t arm) noexcept {
    if constexpr (shared) return t.complete(t.generation(), arm);
    return t.complete_at_home(arm);
  }

  /// The oldest waiter that can still be completed, completed and unlinked. The performer is not
  /// published, so this is one-party.
  static wait_record* win(list<wait_record>& waiters) noexcept {
    while (wait_record* r = waiters.pop_front())
      if (complete(*r->owner, r->arm)) return r;
    return nullptr;
  }

  /// The same of those who offer a value.
  template <class Mover>
  wait_record* win_offer() noexcept {
    for (wait_record* r = putters_.front(); r;) {
      wait_record* const following = putters_.after(*r);
      if (!wants_place<Mover>(*r)) {
        r->unlink();
        if (complete(*r->owner, r->arm)) return r;
      }
      r = following;
    }
    return nullptr;
  }

  template <class Mover>
  pass put_now(Mover& mover, task*& partner) {
    if (closed_) return pass::closed;
    if (wait_record* r = win(getters_)) {
      partner = r->owner;
      mover.give(*r);
      return pass::done;
    }
    if (is_full()) return pass::wait;
    mover.store();
    ++count_;
    return pass::done;
  }

  template <class Mover>
  pass get_now(Mover& mover, task*& partner) {
    if (count_ > 0) {
      mover.load();
      --count_;
      refill(mover, partner);
      return pass::done;
    }
    if (wait_record* r = win_offer<Mover>()) {
      partner = r->owner;
      mover.take(*r);
      return pass::done;
    }
    return closed_ ? pass::closed : pass::wait;
  }

  /// A place has come free: the oldest putter that still waits moves its value in, or has it.
  template <class Mover>
  void refill(Mover& mover, task*& partner) noexcept {
    wait_record* r = win(putters_);
    if (!r) return;
    partner = r->owner;
    if (wants_place<Mover>(*r)) {
      ++reserved_;
      return;
    }
    mover.refill(*r);
    ++count_;
  }

  // ---- shared channels only ----

  /// Of a place that was reserved until now. If its value goes to a getter at once it is free.
  template <class Mover>
  void put_in_place(Mover& mover, task*& getter, task*& next) {
    if (wait_record* r = win(getters_)) {
      getter = r->owner;
      mover.give(*r);
      return refill(mover, next);
    }
    mover.store();
    ++count_;
  }

  /// Links r, then looks again in the same critical section: whoever publishes later serves what
  /// was published earlier.
  template <class Mover, class Look>
  pass publish(wait_record& r, list<wait_record>& mine, Mover& mover, Look look) {
    task* partner = nullptr;
    lock_.lock();
    mine.push_back(r);
    const pass result = look(partner);
    if (result == pass::done || result == pass::closed) r.unlink();
    lock_.unlock();
    if (partner) mover.wake(*partner);
    return result;
  }

  template <class Mover, class Begin, class Now>
  pass now_or_later(wait_record& r, list<wait_record>& mine, Mover& mover, Begin begin, Now now) {
    task* partner = nullptr;
    lock_.lock();
    const pass result = now(partner);
    if (result == pass::wait) {
      begin();
      mine.push_back(r);
    }
    lock_.unlock();
    if (partner) mover.wake(*partner);
    return result;
  }

  /// Completes the performer alone.
  static bool win_mine(wait_record& r) noexcept { return complete(*r.owner, r.arm); }

  template <class Mover>
  pass look_put(wait_record& r, Mover& mover, task*& partner) {
    if (closed_) return end_closed(r);
    const pass met =
        meet<Mover>(r, getters_, partner, [&](wait_record& peer) { mover.give(peer); });
    if (met != pass::wait) return met;
    if (is_full()) return pass::wait;
    if (!win_mine(r)) return pass::decided;
    mover.store();
    ++count_;
    return pass::done;
  }

  pass look_reserve(wait_record& r) {
    if (closed_) return end_closed(r);
    if (is_full()) return pass::wait;
    if (!win_mine(r)) return pass::decided;
    ++reserved_;
    return pass::done;
  }

  template <class Mover>
  pass look_get(wait_record& r, Mover& mover, task*& partner) {
    if (count_ > 0) {
      if (!win_mine(r)) return pass::decided;
      mover.load();
      --count_;
      refill(mover, partner);
      return pass::done;
    }
    const pass met =
        meet<Mover>(r, putters_, partner, [&](wait_record& peer) { mover.take(peer); });
    if (met != pass::wait) return met;
    return closed_ ? end_closed(r) : pass::wait;
  }

  static pass end_closed(wait_record& r) noexcept {
    if (!win_mine(r)) return pass::decided;
    r.owner->closed = true;
    return pass::closed;
  }

  /// Tries to meet the partners that wait, oldest first; never the performer itself.
  template <class Mover, class Move>
  pass meet(wait_record& mine, list<wait_record>& waiters, task*& partner, Move move) {
    for (wait_record* peer = waiters.front(); peer;) {
      wait_record* following = waiters.after(*peer);
      if (peer->owner != mine.owner && !(&waiters == &putters_ && wants_place<Mover>(*peer))) {
        const claim_result c = claim(*mine.owner, *peer->owner);
        if (c == claim_result::decided) return pass::decided;
        peer->unlink();
        if (c == claim_result::won) {
          mine.owner->winner = mine.arm;
          peer->owner->winner = peer->arm;
          partner = peer->owner;
          move(*peer);
          return pass::done;
        }
      }
      peer = following;
    }
    return pass::wait;
  }

  [[no_unique_address]] mutable Lock lock_;
  bool closed_ = false;
  std::size_t count_ = 0;     // values in the buffer
  std::size_t reserved_ = 0;  // places for values that are on their way
  const std::size_t capacity_;
  list<wait_record> getters_;
  list<wait_record> putters_;
};

}  // namespace weft::inline v0::core
