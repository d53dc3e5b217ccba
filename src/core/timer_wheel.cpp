// SPDX-License-Identifier: MIT
#include "weft/core/timer_wheel.hpp"

namespace weft::inline v0::core {

// A slot with few records is looked through for its exact minimum, so that one sleeper costs one
// wake-up. One with many is entered early and spread out, which it has to be anyway.
constexpr int scan_limit = 16;

list<wait_record>* timer_wheel::lowest() noexcept {
  if (!due_.empty()) return &due_;
  for (; lowest_ < levels; ++lowest_) {
    std::uint64_t& bits = occupied_[lowest_];
    while (bits) {
      const auto slot = static_cast<unsigned>(__builtin_ctzll(bits));
      if (!slots_[lowest_][slot].empty()) {
        at_level_ = lowest_;
        at_slot_ = slot;
        return &slots_[lowest_][slot];
      }
      bits &= bits - 1;
    }
  }
  return nullptr;
}

std::uint64_t timer_wheel::begin_of(unsigned level, unsigned slot) const noexcept {
  const unsigned shift = level * digit_bits;
  const unsigned above = shift + digit_bits;
  const std::uint64_t prefix = above >= 64 ? 0 : cursor_ >> above << above;
  return prefix | static_cast<std::uint64_t>(slot) << shift;
}

std::uint64_t timer_wheel::earliest_in(list<wait_record>& slot) const noexcept {
  nanoseconds earliest = forever;
  int seen = 0;
  for (wait_record* r = slot.front(); r; r = slot.after(*r)) {
    if (++seen > scan_limit) return begin_of(at_level_, at_slot_);
    if (r->deadline < earliest) earliest = r->deadline;
  }
  return static_cast<std::uint64_t>(earliest);
}

// The cursor goes straight to the first deadline where that is cheap to find, so that a lone record
// moves once and not down every level.
list<wait_record>* timer_wheel::next_due(std::uint64_t now) noexcept {
  for (;;) {
    list<wait_record>* slot = lowest();
    if (slot == &due_) return slot;
    if (!slot || begin_of(at_level_, at_slot_) > now) {
      if (now > cursor_) cursor_ = now;
      return nullptr;
    }
    const std::uint64_t first = earliest_in(*slot);
    cursor_ = first < now ? first : now;
    occupied_[at_level_] &= ~(std::uint64_t{1} << at_slot_);
    list<wait_record> entered;
    slot->splice_to(entered);
    while (wait_record* r = entered.pop_front()) place(*r);
  }
}

nanoseconds timer_wheel::next_deadline() noexcept {
  list<wait_record>* slot = lowest();
  if (!slot) return forever;
  return static_cast<nanoseconds>(slot == &due_ ? cursor_ : earliest_in(*slot));
}

}  // namespace weft::inline v0::core
