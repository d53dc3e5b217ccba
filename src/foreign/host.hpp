// SPDX-License-Identifier: MIT
// host: where the answers to one thread's calls arrive. A weft worker has one, and so may the event
// loop of another program. All but notify() happens on its thread.
//
// Answers are pushed onto one pile. Its top, when it is empty, is a mark:
//   watching  the host will look again by itself: nobody need tell it
//   armed     the host sleeps: whoever pushes calls notify, once for many answers
//   closed    the host has gone: the library's thread frees what it answers
// A host does: deliver(); when there is nothing else to do, arm(), and if that says no, deliver()
// once more; then sleep. notify has to end the sleep, and lead to deliver().
//
// Posts do not wake parked pollers: flush() does, once for many posts, and has to follow soon.
//
// Hosts are taken from a pool and go back there; a late thread may still push to one that has been
// closed, or given to somebody else, who then frees what it is not waiting for.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

#include "foreign/queue.hpp"

namespace weft::inline v0::foreign {

class WEFT_API host {
 public:
  /// Called on any thread while the host is armed; never after the host is closed. It must not
  /// call back into the host.
  using notify_function = void (*)(void* context) noexcept;

  struct closer {
    void operator()(host* h) const noexcept { h->close(); }
  };
  using pointer = std::unique_ptr<host, closer>;

  /// Null: not enough memory.
  static pointer open(notify_function notify, void* context) noexcept;
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  enum class outcome : std::uint8_t { posted, full, finished, no_memory };
  struct posting {
    outcome how;
    call* made;  // held by the caller until leave(); null unless posted
  };
  /// Asks; the request's bytes are copied, or lent until they are released, also on failure.
  posting post(queue& to, const request& what, core::nanoseconds deadline) noexcept;
  /// on_arrival is called by deliver(), once, when the answer is there. Not at all after leave().
  void on_arrival(call& c, void (*f)(call&, void*) noexcept, void* context) noexcept {
    c.on_arrival = f;
    c.context = context;
  }
  /// The holder's last touch: ends a call that has arrived; of one that has not, the library learns
  /// that nobody waits, and what it answers is freed.
  void leave(call& c) noexcept;
  /// The same for the library, but the parts that have arrived stay the holder's until it leaves.
  void expire(call& c) noexcept;

  /// Takes the oldest part that has arrived: the caller's, to be given to free_part(). Null: none.
  static part* take_part(call& c) noexcept;
  static void free_part(part* p) noexcept;

  /// Wakes the pollers that have been posted to. True: it had to wake some.
  bool flush() noexcept;
  /// Takes the answers that have come: their number. The callbacks may post and leave.
  std::size_t deliver() noexcept;
  /// Whether there is something to deliver.
  bool has_answers() const noexcept;
  /// Looks again for some microseconds: true if there is something to deliver now.
  bool look_again(int rounds = patience::long_look) noexcept {
    return patience_.look([this]() noexcept { return has_answers(); }, rounds);
  }
  /// From now on the next answer notifies. False: some have come already.
  bool arm() noexcept;
  /// Takes arm() back, if nobody has notified yet.
  void disarm() noexcept;
  /// In the child of a fork, in place of closing: threads that are not there any more may have held
  /// its locks and the queues'. Its holders no longer have their calls; it is never freed.
  void forget() noexcept;
  /// Calls that are held and have not arrived.
  std::size_t pending() const noexcept { return pending_; }

  /// Any thread: what belongs to a call, itself when it is answered, or a part.
  static void give_back(const call& of, piled& p) noexcept;

 private:
  host() = default;
  ~host() = default;
  void close() noexcept;
  call* new_call(const request& what) noexcept;
  static void end_waits(call& c) noexcept;
  void recycle(call& c) noexcept;
  void abandon(call& c) noexcept;
  void arrive(part& p) noexcept;
  void arrive(call& c) noexcept;

  pile answers_;
  std::mutex notifying_;  // held around a notify: close() waits for it
  notify_function notify_ = nullptr;
  void* context_ = nullptr;

  std::size_t pending_ = 0;
  queue* to_wake_ = nullptr;
  patience patience_;
  piled* spare_ = nullptr;  // calls that nobody uses
  core::list<call> held_;   // by whoever has posted them
  host* next_ = nullptr;    // in the pool
};

}  // namespace weft::inline v0::foreign
