// SPDX-License-Identifier: MIT
// Two-party completion of two published performs: the ordered claim (models/: put_get, two_putters,
// crossed, crossed_same, ring, half_published, twice_crossed, cancel_both).
//
// Called under the lock of the channel whose list holds the partner's record: that lock keeps the
// partner alive, for it must unlink there before it goes on. The lower address is claimed first,
// and held while the other is claimed by somebody else; so the waits-for graph has no cycle.
// Claiming one's own first, as Guile fibers does, can livelock fairly. Inside C: no lock, no
// allocation, no foreign code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "weft/core/task.hpp"

namespace weft::inline v0::core {

enum class claim_result : std::uint8_t {
  won,      // both are S; the caller writes both winners and wakes the partner
  dead,     // the partner is decided already: drop its record
  decided,  // the caller is decided already: suspend and take the wake-up that is on its way
};

namespace detail {

enum class step : std::uint8_t { took, decided };

/// CAS {g,W} -> to, waiting while somebody else holds the word in C.
inline step take(task& t, std::uint64_t generation, std::uint64_t to) noexcept {
  const std::uint64_t w = generation * task::generation_step;
  for (;;) {
    std::uint64_t seen = w | task::waiting;
    if (t.word.compare_exchange_weak(seen, w | to, std::memory_order_acq_rel,
                                     std::memory_order_acquire))
      return step::took;
    if (seen != (w | task::waiting) && seen != (w | task::claimed)) return step::decided;
  }
}

}  // namespace detail

/// mine and peer are both published and shared. A record names its own generation, since it is
/// unlinked before its owner begins again: so the peer's is the one of its word.
inline claim_result claim(task& mine, task& peer) noexcept {
  task& lo = &mine < &peer ? mine : peer;
  task& hi = &mine < &peer ? peer : mine;
  const std::uint64_t lo_generation = lo.generation();
  const auto verdict = [&mine](const task& decided) {
    return &decided == &mine ? claim_result::decided : claim_result::dead;
  };
  if (detail::take(lo, lo_generation, task::claimed) == detail::step::decided) return verdict(lo);
  const detail::step second = detail::take(hi, hi.generation(), task::synced);
  const std::uint64_t end = second == detail::step::took ? task::synced : task::waiting;
  lo.word.store(lo_generation * task::generation_step | end, std::memory_order_release);
  return second == detail::step::took ? claim_result::won : verdict(hi);
}

/// The same for many (models/: claim_all.pml): performs that are published in one place, whose lock
/// the caller holds, each owner once and by ascending address. All become S, and the caller writes
/// the winners and wakes; or none does, and the record of one that is decided already is returned.
/// Whoever holds a C waits only for owners at higher addresses, as in claim(): no cycle.
inline wait_record* claim_all(std::span<wait_record* const> party) noexcept {
  const auto decide = [](std::span<wait_record* const> claimed, std::uint64_t state) {
    for (wait_record* r : claimed)
      r->owner->word.store(r->owner->generation() * task::generation_step | state,
                           std::memory_order_release);
  };
  for (std::size_t i = 0; i < party.size(); ++i) {
    task& t = *party[i]->owner;
    if (detail::take(t, t.generation(), task::claimed) == detail::step::took) continue;
    decide(party.first(i), task::waiting);
    return party[i];
  }
  decide(party, task::synced);
  return nullptr;
}

}  // namespace weft::inline v0::core
