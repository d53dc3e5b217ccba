// SPDX-License-Identifier: MIT
// The word, one step at a time: who may change it when, and what the ordered claim leaves behind.
// The states that threads meet only now and then are made by hand here.
#include "weft/core/claim.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "support.hpp"
#include "weft/core/channel.hpp"

namespace weft_test {
namespace {

using weft::core::claim;
using weft::core::claim_result;
using weft::core::task;
using weft::core::task_kind;

const task_kind party_kind = {"party", nullptr, nullptr};

struct party : task {
  party() noexcept : task(party_kind) {}
  std::uint64_t state_bits() const noexcept { return word.load() & state_mask; }
  void set_state(std::uint64_t s) noexcept { word.store(generation() * generation_step | s); }
};

/// Mine and the partner, in both orders of their addresses.
template <class Check>
void in_both_orders(Check check) {
  for (const std::size_t mine : {std::size_t{0}, std::size_t{1}}) {
    std::array<party, 2> parties;
    for (party& p : parties) p.begin_shared();
    check(parties[mine], parties[1 - mine]);
  }
}

TEST(claim, decides_both) {
  in_both_orders([](party& mine, party& peer) {
    EXPECT_EQ(claim(mine, peer), claim_result::won);
    EXPECT_EQ(mine.state_bits(), task::synced);
    EXPECT_EQ(peer.state_bits(), task::synced);
    EXPECT_EQ(mine.generation(), 1U);
    EXPECT_EQ(peer.generation(), 1U);
  });
}

TEST(claim, a_dead_partner_leaves_me_waiting) {
  in_both_orders([](party& mine, party& peer) {
    EXPECT_TRUE(peer.complete(1, 0));
    EXPECT_EQ(claim(mine, peer), claim_result::dead);
    EXPECT_EQ(mine.state_bits(), task::waiting);
    EXPECT_TRUE(mine.complete(1, 0));
  });
}

TEST(claim, decided_myself_leaves_the_partner_waiting) {
  in_both_orders([](party& mine, party& peer) {
    EXPECT_TRUE(mine.complete(1, 0));
    EXPECT_EQ(claim(mine, peer), claim_result::decided);
    EXPECT_EQ(peer.state_bits(), task::waiting);
    EXPECT_TRUE(peer.complete(1, 0));
  });
}

/// Runs f beside this thread while p is claimed; then gives p back in the state `after`.
template <class Call>
void while_claimed(party& p, std::uint64_t after, Call f) {
  p.set_state(task::claimed);
  weft::core::atomic<bool> begun{false};
  std::thread other([&] {
    begun = true;
    f();
  });
  while (!begun) weft::core::pause_cpu();
  for (int i = 0; i < 20'000; ++i) weft::core::pause_cpu();
  EXPECT_EQ(p.state_bits(), task::claimed) << "touched while it is claimed";
  p.set_state(after);
  other.join();
}

TEST(claim, waits_while_either_is_claimed) {
  const watchdog dog("claim of the claimed");
  for (const bool of_mine : {false, true}) {
    for (const std::uint64_t after : {task::waiting, task::synced}) {
      in_both_orders([&](party& mine, party& peer) {
        claim_result result = claim_result::dead;
        party& held = of_mine ? mine : peer;
        while_claimed(held, after, [&] { result = claim(mine, peer); });
        if (after == task::waiting)
          EXPECT_EQ(result, claim_result::won);
        else
          EXPECT_EQ(result, of_mine ? claim_result::decided : claim_result::dead);
      });
    }
  }
}

TEST(word, one_party_completion_waits_while_it_is_claimed) {
  const watchdog dog("completion of the claimed");
  for (const std::uint64_t after : {task::waiting, task::synced}) {
    party p;
    p.begin_shared();
    bool completed = false;
    while_claimed(p, after, [&] { completed = p.complete(1, 5); });
    EXPECT_EQ(completed, after == task::waiting);
    EXPECT_EQ(p.winner, completed ? 5U : weft::core::winner_unset);
  }
}

// A claim may be taken back: a local channel that dropped the record would have lost the waiter.
TEST(word, a_claimed_performer_still_waits) {
  party p;
  weft::core::wait_record r;
  r.owner = &p;
  weft::core::channel<weft::core::no_lock> local(0);
  p.begin_mixed();
  local.publish_put(r);
  p.set_state(task::claimed);
  EXPECT_TRUE(p.is_waiting());
  EXPECT_TRUE(local.can_get());
  EXPECT_TRUE(r.linked());
  p.set_state(task::waiting);
  EXPECT_TRUE(p.complete_at_home(0));
  EXPECT_FALSE(p.is_waiting());
  EXPECT_FALSE(local.can_get());
  EXPECT_FALSE(r.linked());
}

TEST(word, a_completion_hits_its_own_perform_only) {
  party p;
  p.begin_shared();
  EXPECT_TRUE(p.complete(1, 0));
  EXPECT_FALSE(p.complete(1, 1)) << "decided";
  EXPECT_EQ(p.winner, 0U);
  p.begin_shared();
  EXPECT_FALSE(p.complete(1, 2)) << "of the perform before";
  EXPECT_TRUE(p.is_waiting());
  EXPECT_FALSE(p.complete(3, 2));
  EXPECT_TRUE(p.complete(2, 3));
  EXPECT_EQ(p.winner, 3U);
}

TEST(word, at_home_plain_and_shared) {
  party p;
  EXPECT_FALSE(p.complete_at_home(0)) << "it does not wait";
  p.begin_plain();
  EXPECT_TRUE(p.complete_at_home(4));
  EXPECT_EQ(p.winner, 4U);
  EXPECT_FALSE(p.complete_at_home(5));
  p.begin_shared();
  EXPECT_EQ(p.generation(), 2U);
  EXPECT_TRUE(p.complete_at_home(6));
  EXPECT_FALSE(p.complete_at_home(7));
  EXPECT_EQ(p.winner, 6U);
}

TEST(word, one_of_many_completers_wins) {
  const watchdog dog("many completers");
  party p;
  for (int round = scaled(5'000, 200); round > 0; --round) {
    p.begin_shared();
    const std::uint64_t g = p.generation();
    std::array<bool, 3> won = {};
    std::array<std::thread, 3> threads;
    for (std::uint32_t i = 0; i < 3; ++i)
      threads[i] = std::thread([&, i] { won[i] = p.complete(g, i); });
    for (std::thread& t : threads) t.join();
    ASSERT_EQ(won[0] + won[1] + won[2], 1);
    ASSERT_TRUE(won[p.winner]);
  }
}

}  // namespace
}  // namespace weft_test
