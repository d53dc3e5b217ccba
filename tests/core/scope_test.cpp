// SPDX-License-Identifier: MIT
// Invariants: a task is marked as cancelled exactly when the scope it stands in is, up to the first
// shield, or when it was cancelled itself and no shield stands between; a parked one is then woken
// once. All of it is linear in what is cancelled, and needs no stack.
#include "weft/core/scope.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "support.hpp"

namespace weft_test {
namespace {

using weft::core::scope;
using weft::core::scoped_task;
using weft::core::task;
using weft::core::task_kind;
using weft::core::task_state;
using weft::core::wait_record;
using weft::core::winner_cancelled;

struct child : scoped_task {
  explicit child(bool is_daemon = false) noexcept : scoped_task(kind_table) { daemon = is_daemon; }
  void park() noexcept {
    begin_plain();
    state = task_state::parked;
  }
  int wakes = 0;

 private:
  static void on_wake(task& t) noexcept {
    ++static_cast<child&>(t).wakes;
    t.state = task_state::runnable;
  }
  static inline const task_kind kind_table = {"child", nullptr, on_wake};
};

/// Who waits for a scope to empty.
struct joiner : child {
  explicit joiner(scope& s) noexcept {
    park();
    record.owner = this;
    s.emptied.push_back(record);
  }
  wait_record record;
};

TEST(scope, cancel_wakes_parked_children_once) {
  scope root;
  child parked;
  child running;
  adopt(root, parked);
  adopt(root, running);
  parked.park();
  running.state = task_state::running;
  cancel_scope(root);
  EXPECT_TRUE(root.cancelled);
  EXPECT_TRUE(root.cancel_requested);
  EXPECT_EQ(parked.wakes, 1);
  EXPECT_EQ(parked.winner, winner_cancelled);
  EXPECT_TRUE(running.cancel_pending);
  EXPECT_EQ(running.wakes, 0);
  cancel_scope(root);
  cancel_task(parked);
  EXPECT_EQ(parked.wakes, 1);
}

TEST(scope, a_wait_that_is_won_is_not_cancelled) {
  scope root;
  child t;
  adopt(root, t);
  t.park();
  EXPECT_TRUE(t.complete_at_home(3));
  cancel_scope(root);
  EXPECT_EQ(t.wakes, 0);
  EXPECT_EQ(t.winner, 3U);
  EXPECT_TRUE(t.cancel_pending) << "seen at the next perform";
}

TEST(scope, cancel_wakes_each_parked_child_exactly_once_in_a_tree) {
  scope root;
  child a;
  child b;
  child c;
  scope of_a;
  scope of_a_inner;
  scope of_b;
  adopt(root, a);
  open_scope(of_a, a);
  open_scope(of_a_inner, a);
  adopt(of_a, b);
  open_scope(of_b, b);
  adopt(of_b, c);
  for (child* t : {&a, &b, &c}) t->park();
  cancel_scope(root);
  for (child* t : {&a, &b, &c}) {
    EXPECT_EQ(t->wakes, 1);
    EXPECT_EQ(t->winner, winner_cancelled);
  }
  for (scope* s : {&of_a, &of_a_inner, &of_b}) {
    EXPECT_TRUE(s->cancelled);
    EXPECT_FALSE(s->cancel_requested);
  }
}

TEST(scope, cancel_does_not_reach_outwards) {
  scope root;
  child a;
  scope outer;
  scope inner;
  adopt(root, a);
  open_scope(outer, a);
  open_scope(inner, a);
  cancel_scope(inner);
  EXPECT_TRUE(a.cancel_pending);
  EXPECT_FALSE(outer.cancelled);
  close_scope(a);
  EXPECT_FALSE(a.cancel_pending);
  EXPECT_EQ(a.innermost, &outer);
  close_scope(a);
  EXPECT_FALSE(a.cancel_pending);
  EXPECT_EQ(a.innermost, &root);
}

TEST(scope, cancel_of_an_outer_scope_of_the_same_task_reaches_the_inner) {
  scope root;
  child a;
  scope outer;
  scope inner;
  adopt(root, a);
  open_scope(outer, a);
  open_scope(inner, a);
  child b;
  adopt(inner, b);
  b.park();
  cancel_scope(outer);
  EXPECT_TRUE(inner.cancelled);
  EXPECT_EQ(b.wakes, 1);
}

TEST(scope, who_is_born_in_a_cancelled_scope_is_cancelled) {
  scope root;
  cancel_scope(root);
  child a;
  adopt(root, a);
  EXPECT_TRUE(a.cancel_pending);
  scope s;
  open_scope(s, a);
  EXPECT_TRUE(s.cancelled);
  scope shielded;
  shielded.shield = true;
  open_scope(shielded, a);
  EXPECT_FALSE(shielded.cancelled);
  EXPECT_FALSE(a.cancel_pending);
  close_scope(a);
  EXPECT_TRUE(a.cancel_pending);
}

TEST(scope, a_shield_hides_the_scopes_around) {
  scope root;
  child a;
  scope outer;
  scope shielded;
  scope inner;
  shielded.shield = true;
  adopt(root, a);
  open_scope(outer, a);
  open_scope(shielded, a);
  open_scope(inner, a);
  child b;
  adopt(inner, b);
  a.park();
  b.park();
  cancel_scope(root);
  cancel_task(a);
  EXPECT_EQ(a.wakes + b.wakes, 0);
  EXPECT_FALSE(a.cancel_pending || b.cancel_pending || shielded.cancelled || inner.cancelled);
  EXPECT_TRUE(outer.cancelled);
  cancel_scope(shielded);
  EXPECT_EQ(a.wakes, 1);
  EXPECT_EQ(b.wakes, 1);
  EXPECT_TRUE(inner.cancelled);
}

TEST(scope, behind_a_shield_the_cancel_is_seen_again) {
  scope root;
  child a;
  scope shielded;
  shielded.shield = true;
  adopt(root, a);
  open_scope(shielded, a);
  cancel_task(a);
  EXPECT_FALSE(a.cancel_pending);
  close_scope(a);
  EXPECT_TRUE(a.cancel_pending);
}

TEST(scope, cancel_of_a_task_leaves_its_siblings_alone) {
  scope root;
  child a;
  child b;
  adopt(root, a);
  adopt(root, b);
  scope of_a;
  open_scope(of_a, a);
  child in_a;
  adopt(of_a, in_a);
  for (child* t : {&a, &b, &in_a}) t->park();
  cancel_task(a);
  EXPECT_EQ(a.wakes, 1);
  EXPECT_EQ(in_a.wakes, 1);
  EXPECT_EQ(b.wakes, 0);
  EXPECT_FALSE(root.cancelled);
}

TEST(scope, the_deaf_are_not_woken_but_marked) {
  scope root;
  child a;
  adopt(root, a);
  a.park();
  a.deaf = true;
  cancel_scope(root);
  EXPECT_EQ(a.wakes, 0);
  EXPECT_TRUE(a.is_waiting());
  EXPECT_TRUE(a.cancel_pending);
}

// ---------------------------------------------------------------- children that end

TEST(scope, the_last_child_wakes_who_waits) {
  scope root;
  child a;
  child b;
  adopt(root, a);
  adopt(root, b);
  EXPECT_FALSE(root.empty());
  joiner waits(root);
  leave_scope(a);
  EXPECT_EQ(waits.wakes, 0);
  leave_scope(b);
  EXPECT_EQ(waits.wakes, 1);
  EXPECT_FALSE(waits.record.linked());
  EXPECT_TRUE(root.empty());
}

TEST(scope, daemons_do_not_hold_it_open_and_have_to_go_as_well) {
  scope root;
  child a;
  child daemon(true);
  adopt(root, a);
  adopt(root, daemon);
  daemon.park();
  joiner first(root);
  leave_scope(a);
  EXPECT_EQ(first.wakes, 1) << "its last ordinary child";
  EXPECT_FALSE(root.empty());
  joiner second(root);
  cancel_daemons(root);
  EXPECT_EQ(daemon.wakes, 1);
  EXPECT_EQ(second.wakes, 0);
  leave_scope(daemon);
  EXPECT_EQ(second.wakes, 1) << "nothing is left";
  EXPECT_TRUE(root.empty());
}

TEST(scope, a_daemon_that_ends_early_wakes_nobody) {
  scope root;
  child a;
  child daemon(true);
  adopt(root, a);
  adopt(root, daemon);
  joiner waits(root);
  leave_scope(daemon);
  EXPECT_EQ(waits.wakes, 0);
  leave_scope(a);
  EXPECT_EQ(waits.wakes, 1);
}

TEST(scope, cancel_daemons_leaves_the_others_alone) {
  scope root;
  child a;
  child daemon(true);
  adopt(root, a);
  adopt(root, daemon);
  a.park();
  daemon.park();
  cancel_daemons(root);
  EXPECT_EQ(a.wakes, 0);
  EXPECT_EQ(daemon.wakes, 1);
  EXPECT_FALSE(root.cancelled);
}

TEST(scope, who_waits_and_was_cancelled_is_not_woken_again) {
  scope root;
  child a;
  adopt(root, a);
  joiner waits(root);
  EXPECT_TRUE(waits.complete_at_home(winner_cancelled));
  leave_scope(a);
  EXPECT_EQ(waits.wakes, 0);
  EXPECT_FALSE(waits.record.linked());
}

// ---------------------------------------------------------------- deep and wide

constexpr std::size_t many = 100'000;

TEST(scope, a_hundred_thousand_scopes_of_one_task) {
  scope root;
  child a;
  adopt(root, a);
  std::deque<scope> scopes(many);
  for (scope& s : scopes) open_scope(s, a);
  a.park();
  cancel_scope(root);
  EXPECT_EQ(a.wakes, 1);
  EXPECT_TRUE(std::all_of(scopes.begin(), scopes.end(), [](scope& s) { return s.cancelled; }));
  for (std::size_t i = 0; i < many; ++i) close_scope(a);
  EXPECT_EQ(a.innermost, &root);
}

TEST(scope, a_chain_of_a_hundred_thousand_tasks) {
  scope root;
  std::deque<child> tasks(many);
  std::deque<scope> scopes(many);
  scope* around = &root;
  for (std::size_t i = 0; i < many; ++i) {
    adopt(*around, tasks[i]);
    open_scope(scopes[i], tasks[i]);
    tasks[i].park();
    around = &scopes[i];
  }
  cancel_scope(root);
  for (const child& t : tasks) ASSERT_EQ(t.wakes, 1);
}

TEST(scope, a_hundred_thousand_children) {
  scope root;
  std::deque<child> tasks(many);
  for (child& t : tasks) {
    adopt(root, t);
    t.park();
  }
  joiner waits(root);
  cancel_scope(root);
  for (child& t : tasks) {
    ASSERT_EQ(t.wakes, 1);
    ASSERT_EQ(waits.wakes, 0);
    leave_scope(t);
  }
  EXPECT_EQ(waits.wakes, 1);
}

// ---------------------------------------------------------------- against the definition

/// Random trees; after each step every task is compared with what the definition says.
class random_tree {
 public:
  explicit random_tree(std::uint64_t seed) : random_(seed) {}

  void step() {
    switch (random_.below(10)) {
      case 0:
      case 1:
      case 2: spawn(); break;
      case 3:
      case 4: open(); break;
      case 5: close(); break;
      case 6: leave(); break;
      case 7:
        if (random_.below(3) == 0) cancel_some_scope();
        break;
      case 8:
        if (random_.below(2) == 0) cancel_task(some_task()->t);
        break;
      case 9: some_task()->park(); break;
    }
  }

  void check() {
    for (const auto& m : members_) {
      ASSERT_EQ(m->t.cancel_pending, stands_cancelled(m->t));
      ASSERT_LE(m->t.wakes, m->parks);
      if (m->t.state == task_state::parked) {
        ASSERT_FALSE(m->t.cancel_pending && m->parked_uncancelled) << "a lost cancel";
      }
    }
  }

 private:
  struct member {
    child t;
    std::deque<scope> open;
    int parks = 0;
    bool parked_uncancelled = false;
    void park() {
      if (t.state == task_state::parked) return;
      t.park();
      ++parks;
      parked_uncancelled = !t.cancel_pending;
    }
    /// Only who runs opens and closes scopes, and ends.
    void run() {
      if (t.state == task_state::parked) t.complete_at_home(0);
      t.state = task_state::running;
    }
  };

  static bool stands_cancelled(const scoped_task& t) {
    for (const scope* s = t.innermost; s != t.home; s = s->parent) {
      if (s->cancel_requested) return true;
      if (s->shield) return false;
    }
    return t.self_cancelled || reaches(*t.home);
  }
  /// Whether somebody in s is cancelled from s outwards.
  static bool reaches(const scope& s) {
    if (s.cancel_requested) return true;
    if (s.shield || !s.owner) return false;
    if (s.parent == s.owner->home) return s.owner->self_cancelled || reaches(*s.parent);
    return reaches(*s.parent);
  }

  std::unique_ptr<member>& some_member() {
    if (members_.empty()) spawn();
    return members_[random_.below(static_cast<std::uint32_t>(members_.size()))];
  }
  member* some_task() { return some_member().get(); }
  scope& some_scope() {
    if (members_.empty() || random_.below(8) == 0) return root_;
    member& m = *some_task();
    if (m.open.empty()) return *m.t.home;
    return m.open[random_.below(static_cast<std::uint32_t>(m.open.size()))];
  }

  void spawn() {
    scope& s = members_.empty() ? root_ : some_scope();
    adopt(s, members_.emplace_back(std::make_unique<member>())->t);
  }
  void open() {
    member& m = *some_task();
    m.run();
    scope& s = m.open.emplace_back();
    s.shield = random_.below(4) == 0;
    open_scope(s, m.t);
  }
  void close() {
    member& m = *some_task();
    if (m.open.empty() || !m.open.back().empty()) return;
    m.run();
    close_scope(m.t);
    m.open.pop_back();
  }
  void leave() {
    std::unique_ptr<member>& m = some_member();
    if (!m->open.empty() || members_.size() < 5) return;
    m->run();
    leave_scope(m->t);
    std::swap(m, members_.back());
    members_.pop_back();
  }
  void cancel_some_scope() {
    scope& s = some_scope();
    if (&s != &root_ || random_.below(20) == 0) cancel_scope(s);
  }

  weft::core::random_source random_;
  scope root_;
  std::vector<std::unique_ptr<member>> members_;
};

TEST(scope, random_trees_agree_with_the_definition) {
  for (int seed = scaled(2'000, 50); seed > 0; --seed) {
    random_tree tree(static_cast<std::uint64_t>(seed));
    for (int i = 0; i < 300; ++i) {
      tree.step();
      tree.check();
      ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", step " << i;
    }
  }
}

}  // namespace
}  // namespace weft_test
