// SPDX-License-Identifier: MIT
#include "weft/core/home.hpp"

#include <stdexcept>

namespace weft::inline v0::core {

homed::~homed() { forget(); }

void homed::forget() noexcept {
  if (mailbox* m = home_.load(std::memory_order_relaxed)) m->drop_reference();
  home_.store(nullptr, std::memory_order_release);
}

bool homed::leaves_with_visitor() noexcept {
  if (++visits_ < visits_to_leave) return false;
  visits_ = 0;
  return leave();
}

worker* homed::known_to(worker& here, bool visits) noexcept {
  if (is_at(here)) {
    if (visits) return leaves_with_visitor() ? nullptr : &here;
    visits_ = 0;
    return &here;
  }
  lock_.lock();
  mailbox* m = home_.load(std::memory_order_relaxed);
  worker* const found = m ? m->crewmate_of(here) : nullptr;
  lock_.unlock();
  return found;
}

bool homed::settle(worker& w) noexcept {
  if (is_at(w)) return true;
  lock_.lock();
  mailbox* const m = home_.load(std::memory_order_relaxed);
  if (m && m->is_gone()) forget();
  const bool mine = !home_.load(std::memory_order_relaxed);
  if (mine) {
    w.address().add_reference();
    home_.store(&w.address(), std::memory_order_release);
  }
  // Of another runtime: whoever performs is told so.
  const bool elsewhere = !mine && !m->crewmate_of(w);
  lock_.unlock();
  return mine || elsewhere;
}

bool homed::leave() noexcept {
  if (!let_go()) return false;
  lock_.lock();
  forget();
  lock_.unlock();
  return true;
}

bool homed::post_home(task& t) noexcept {
  lock_.lock();
  mailbox* const m = home_.load(std::memory_order_relaxed);
  const bool posted = m && m->post(t);
  lock_.unlock();
  return posted;
}

void refuse_two_homes() {
  throw std::logic_error(
      "weft: a choice of descriptors that other tasks wait for on different workers");
}

}  // namespace weft::inline v0::core
