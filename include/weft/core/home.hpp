// SPDX-License-Identifier: MIT
// homed: what one worker at a time may touch, such as a descriptor. It is at home on the worker
// that performs on it first; tasks of the same crew move there to perform on it. When eight in a
// row have come from elsewhere, it goes home with the last of them, unless somebody waits for it.
//
// Invariant: home_ is null, or names a mailbox that is counted here. It changes under the lock; a
// worker that finds its own mailbox in it needs no lock, since it alone would take it out.
// models/: home.pml.
#pragma once

#include <cstdint>

#include "weft/config.hpp"
#include "weft/core/lock.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::core {

class WEFT_API homed {
 public:
  homed() noexcept = default;
  homed(const homed&) = delete;
  homed& operator=(const homed&) = delete;

  bool is_at(worker& w) const noexcept {
    return home_.load(std::memory_order_acquire) == &w.address();
  }
  /// is_at() for one who performs on it without having moved.
  bool used_at(worker& here) noexcept {
    if (!is_at(here)) return false;
    visits_ = 0;
    return true;
  }
  /// Its home, if that is a worker of the same crew as `here`, or `here` itself; else null. visits:
  /// for a task that has come here to perform on it; one of those in a row too many makes it leave.
  worker* known_to(worker& here, bool visits) noexcept;
  /// Makes w its home if it has none, or one that is gone. False: it has another.
  bool settle(worker& w) noexcept;
  /// At home: gives it up, if nobody waits there. False: somebody does.
  bool leave() noexcept;
  /// Posts t to its home. False: it has none, or that is gone.
  bool post_home(task& t) noexcept;

 protected:
  ~homed();
  /// Of leave(): detaches it from its worker.
  virtual bool let_go() noexcept = 0;

 private:
  void forget() noexcept;
  bool leaves_with_visitor() noexcept;

  static constexpr std::uint8_t visits_to_leave = 8;

  tiny_lock lock_;
  std::uint8_t visits_ = 0;  // at home: performs in a row by tasks that had come from elsewhere
  atomic<mailbox*> home_{nullptr};
};

/// Of a choice whose descriptors are at home on several workers, and are waited for there.
[[noreturn]] WEFT_API void refuse_two_homes();

/// place_of() where something is not here.
template <class Arm>
[[gnu::noinline]] worker& find_place(Arm& arm, worker& here, worker* origin);

/// Where the performer of an arm has to go, `here` if nowhere. origin: where it began, once it has
/// moved for this arm; else null. What has no home (any more) settles there, or here; of several
/// homes the first counts, and the others are given up, each at its own place, so this may name one
/// place after the other. Throws std::logic_error if one of those is in use.
template <class Arm>
worker& place_of(Arm& arm, worker& here, worker* origin) {
  bool all_here = !origin;
  auto ask = [&](homed& h) { all_here = all_here && h.used_at(here); };
  arm.each_home(ask);
  return all_here ? here : find_place(arm, here, origin);
}

template <class Arm>
worker& find_place(Arm& arm, worker& here, worker* origin) {
  worker& fallback = origin ? *origin : here;
  const bool visits = &fallback != &here;
  for (;;) {
    worker* first = nullptr;
    homed* other = nullptr;
    worker* of_other = nullptr;
    auto look = [&](homed& h) {
      worker* const w = h.known_to(here, visits);
      if (!first)
        first = w;
      else if (w && w != first)
        other = &h, of_other = w;
    };
    arm.each_home(look);
    if (other) {
      if (of_other != &here) return *of_other;
      if (!other->leave()) refuse_two_homes();
      continue;
    }
    worker& place = first ? *first : fallback;
    bool settled = true;
    auto claim = [&](homed& h) { settled = h.settle(place) && settled; };
    arm.each_home(claim);
    if (settled) return place;
  }
}

}  // namespace weft::inline v0::core
