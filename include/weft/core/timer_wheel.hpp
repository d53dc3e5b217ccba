// SPDX-License-Identifier: MIT
// timer_wheel: hierarchical, exact to the nanosecond, intrusive on wait_record.
//
// 11 levels of 64 slots cover 64 bits. A record sits at the level of the highest 6-bit digit in
// which its deadline differs from the cursor, in the slot of that digit of its deadline.
// Invariants:
//   - The cursor never passes a slot that holds a record; all digits above a record's level are
//     those of the cursor, and its own digit is greater. So lower levels are due before higher
//     ones, and within a level lower slots before higher ones: nothing wraps.
//   - A slot of level 0 holds one exact deadline; its list is in order of insertion. Moving a slot
//     down keeps its order, and equal deadlines are always in the same slot: ties fire in order.
//   - occupied_ may have bits of slots that cancels have emptied, since a cancel is only
//     record.unlink(); whoever looks at such a slot clears the bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/config.hpp"
#include "weft/core/list.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

class WEFT_API timer_wheel {
 public:
  /// Begins at a time: a deadline before it is due at once.
  explicit timer_wheel(nanoseconds start = 0) noexcept
      : cursor_(static_cast<std::uint64_t>(start > 0 ? start : 0)) {}

  /// O(1). Cancel with r.unlink(). A deadline that has passed is due at the next advance.
  void insert(wait_record& r, nanoseconds deadline) noexcept {
    if (deadline < 0) deadline = 0;
    r.deadline = deadline;
    place(r);
  }

  /// Fires, by fire(record) on the unlinked record, everything due at `now`: in order of deadline,
  /// ties in order of insertion. fire may insert and unlink; what it inserts for a time up to now
  /// fires as well. The time never goes back.
  template <class Fire>
  void advance(nanoseconds now, Fire fire) noexcept {
    while (list<wait_record>* slot = next_due(static_cast<std::uint64_t>(now > 0 ? now : 0)))
      while (wait_record* r = slot->pop_front()) fire(*r);
  }

  /// Nothing is armed. Exact.
  bool empty() noexcept { return lowest() == nullptr; }

  /// The earliest deadline if it is cheap to find, else a time before it; `forever` if there is
  /// none.
  nanoseconds next_deadline() noexcept;

 private:
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned slots = 1U << digit_bits;
  static constexpr unsigned levels = 11;

  void place(wait_record& r) noexcept {
    const auto deadline = static_cast<std::uint64_t>(r.deadline);
    if (deadline <= cursor_) {
      due_.push_back(r);
      return;
    }
    const unsigned highest = 63U - static_cast<unsigned>(__builtin_clzll(deadline ^ cursor_));
    const unsigned level = highest / digit_bits;
    const unsigned slot = static_cast<unsigned>(deadline >> (level * digit_bits)) & (slots - 1);
    slots_[level][slot].push_back(r);
    occupied_[level] |= std::uint64_t{1} << slot;
    if (level < lowest_) lowest_ = level;
  }

  /// The list that is due first: due_, or a slot that at_level_ and at_slot_ then name; null: none.
  list<wait_record>* lowest() noexcept;
  list<wait_record>* next_due(std::uint64_t now) noexcept;
  std::uint64_t begin_of(unsigned level, unsigned slot) const noexcept;
  /// Of the slot that lowest() gave: exact if it holds few records, else where the slot begins.
  std::uint64_t earliest_in(list<wait_record>& slot) const noexcept;

  std::uint64_t cursor_;
  unsigned lowest_ = levels;  // no level below has an occupied bit
  unsigned at_level_ = 0;
  unsigned at_slot_ = 0;
  std::uint64_t occupied_[levels] = {};
  list<wait_record> due_;  // deadlines at or before the cursor
  list<wait_record> slots_[levels][slots];
};

}  // namespace weft::inline v0::core
