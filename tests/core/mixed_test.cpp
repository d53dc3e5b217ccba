// SPDX-License-Identifier: MIT
// Tasks on two workers that choose over local channels (plain where nothing else is in the choice),
// a shared channel, and timers of their wheel, while they are cancelled by messages (models/:
// local, local_mixed). Checked: both sides of each channel agree, nothing is lost or comes twice,
// no match is missed (any two that are parked could meet on the shared channel, so a miss hangs),
// no record is left.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "support.hpp"
#include "weft/core/channel.hpp"
#include "worker_fixture.hpp"

namespace weft_test {
namespace {

using weft::core::no_lock;
using weft::core::pass;
using weft::core::task;
using weft::core::task_kind;
using weft::core::task_state;
using weft::core::tiny_lock;
using weft::core::wait_record;
using weft::core::worker;

using message = std::uint32_t;

template <class Lock>
struct channel_of {
  explicit channel_of(std::size_t capacity) noexcept : channel(capacity) {}
  weft::core::channel<Lock> channel;
  std::deque<message> buffer;
};

/// What two workers share, and what each has for itself.
struct world {
  channel_of<tiny_lock> common{0};
  weft::core::atomic<int> working{0};
};
struct place {
  explicit place(world& w, std::size_t capacity) : all(w), at(default_reactor()), local(capacity) {}
  world& all;
  worker at;
  channel_of<no_lock> local;
};

enum class arm_kind : std::uint8_t { local_put, local_get, common_put, common_get, timer };

class chooser : public task {
 public:
  chooser(place& home, std::uint32_t id, int performs)
      : task(kind_table), home_(home), id_(id), left_(performs), random_(id * 7919 + 1) {}

  /// A message to home.
  void cancel() {
    if (state != task_state::parked || !complete_at_home(weft::core::winner_cancelled)) return;
    on_wake(*this);
  }

  std::map<arm_kind, std::vector<message>> passed;  // what it put or got, by kind of arm
  int cancelled = 0;
  int timed_out = 0;
  int plain = 0;

 private:
  struct mover {
    chooser& me;
    std::deque<message>& buffer;
    static chooser& owner(wait_record& r) noexcept { return static_cast<chooser&>(*r.owner); }
    void give(wait_record& r) const noexcept { owner(r).received_ = me.offer_; }
    void take(wait_record& r) const noexcept { me.received_ = owner(r).offer_; }
    void store() const { buffer.push_back(me.offer_); }
    void load() const noexcept {
      me.received_ = buffer.front();
      buffer.pop_front();
    }
    void refill(wait_record& r) const { buffer.push_back(owner(r).offer_); }
    static void wake(task& t) noexcept { on_wake(t); }
  };

  static void on_run(task& t, worker&) { static_cast<chooser&>(t).resume(); }
  static void on_wake(task& t) noexcept {
    worker& home = static_cast<chooser&>(t).home_.at;
    if (&home == worker::current())
      home.ready(t);
    else
      home.post(t);
  }
  static inline const task_kind kind_table = {"chooser", on_run, on_wake};

  void resume() {
    if (suspended_) {
      suspended_ = false;
      settle(winner, closed);
    }
    // Some performs in one go; then the others have their turn.
    for (int n = 4; n > 0 && !over_; --n)
      if (!perform()) return;
    if (!over_) home_.at.ready(*this);
  }

  // ---- one perform ----

  /// False: it is parked.
  bool perform() {
    choose_arms();
    offer_ = id_ << 24 | ++count_;
    received_ = 0;
    published_ = 0;
    if (try_all(random_.below(4) == 0)) return true;
    const bool is_shared = std::any_of(arms_.begin(), arms_.end(), is_common);
    is_shared ? begin_shared() : begin_plain();
    plain += !is_shared;
    state = task_state::parked;
    if (publish_all()) {
      state = task_state::running;
      settle(winner, closed);
      return true;
    }
    suspended_ = true;
    return false;
  }

  static bool is_common(arm_kind k) {
    return k == arm_kind::common_put || k == arm_kind::common_get;
  }

  /// Either everything that is local and a timer, or both sides of the shared channel too.
  void choose_arms() {
    arms_.clear();
    if (random_.below(3) == 0) {
      arms_ = {random_.below(2) ? arm_kind::local_put : arm_kind::local_get, arm_kind::timer};
    } else {
      arms_ = {arm_kind::common_put, arm_kind::common_get};
      if (random_.below(2)) arms_.push_back(arm_kind::local_put);
      if (random_.below(2)) arms_.push_back(arm_kind::local_get);
      if (random_.below(4) == 0) arms_.push_back(arm_kind::timer);
    }
    for (std::size_t i = arms_.size() - 1; i; --i)
      std::swap(arms_[i], arms_[random_.below(static_cast<std::uint32_t>(i + 1))]);
  }

  /// Local arms must be tried, as they have no second look; shared ones need not.
  bool try_all(bool skip_common) {
    for (std::uint32_t i = 0; i < arms_.size(); ++i) {
      if (skip_common && is_common(arms_[i])) continue;
      const pass p = try_arm(arms_[i]);
      if (p == pass::wait) continue;
      settle(i, p == pass::closed);
      return true;
    }
    return false;
  }
  pass try_arm(arm_kind k) {
    auto& common = home_.all.common;
    switch (k) {
      case arm_kind::local_put:
        return home_.local.channel.try_put(mover{*this, home_.local.buffer});
      case arm_kind::local_get:
        return home_.local.channel.try_get(mover{*this, home_.local.buffer});
      case arm_kind::common_put: return common.channel.try_put(mover{*this, common.buffer});
      case arm_kind::common_get: return common.channel.try_get(mover{*this, common.buffer});
      case arm_kind::timer: break;
    }
    return pass::wait;
  }

  /// True: completed by its own hand.
  bool publish_all() {
    for (const arm_kind k : arms_) {
      if ((word.load(std::memory_order_relaxed) & state_mask) == synced) return false;
      wait_record& r = records_[published_];
      r.owner = this;
      r.arm = static_cast<std::uint32_t>(published_++);
      const pass p = publish(k, r);
      if (p == pass::done || p == pass::closed) return true;
      if (p == pass::decided) return false;
    }
    return false;
  }
  pass publish(arm_kind k, wait_record& r) {
    auto& common = home_.all.common;
    switch (k) {
      case arm_kind::local_put: home_.local.channel.publish_put(r); break;
      case arm_kind::local_get: home_.local.channel.publish_get(r); break;
      case arm_kind::common_put: return common.channel.publish_put(r, mover{*this, common.buffer});
      case arm_kind::common_get: return common.channel.publish_get(r, mover{*this, common.buffer});
      case arm_kind::timer: home_.at.arm_timer(r, home_.at.now() + random_.below(50'000)); break;
    }
    return pass::wait;
  }

  void settle(std::uint32_t arm, bool was_closed) {
    for (std::size_t i = 0; i < published_; ++i) {
      wait_record& r = records_[i];
      if (is_common(arms_[i]))
        home_.all.common.channel.retract(r);
      else if (r.linked())
        r.unlink();
    }
    note(arm, was_closed);
    if (--left_ > 0 && !over_) return;
    over_ = true;
    home_.all.common.channel.close();
    home_.all.working.fetch_sub(1);
  }
  void note(std::uint32_t arm, bool was_closed) {
    if (arm == weft::core::winner_cancelled) {
      ++cancelled;
    } else if (was_closed) {
      EXPECT_TRUE(is_common(arms_[arm]));
      over_ = true;
    } else if (arms_[arm] == arm_kind::timer) {
      ++timed_out;
    } else {
      const bool put = arms_[arm] == arm_kind::local_put || arms_[arm] == arm_kind::common_put;
      passed[arms_[arm]].push_back(put ? offer_ : received_);
      EXPECT_TRUE(put || received_ >> 24 != id_) << "its own message";
    }
  }

  place& home_;
  const std::uint32_t id_;
  int left_;
  weft::core::random_source random_;
  std::vector<arm_kind> arms_;
  std::array<wait_record, 5> records_;
  std::size_t published_ = 0;
  message offer_ = 0;
  message received_ = 0;
  message count_ = 0;
  bool suspended_ = false;
  bool over_ = false;
};

/// Messages that were put and those that were got, of some choosers.
void expect_agreement(const std::vector<chooser*>& all, arm_kind put, arm_kind get) {
  std::vector<message> in;
  std::vector<message> out;
  for (chooser* c : all) {
    in.insert(in.end(), c->passed[put].begin(), c->passed[put].end());
    out.insert(out.end(), c->passed[get].begin(), c->passed[get].end());
  }
  std::sort(in.begin(), in.end());
  std::sort(out.begin(), out.end());
  EXPECT_TRUE(in == out) << in.size() << " put, " << out.size() << " got";
  EXPECT_EQ(std::adjacent_find(out.begin(), out.end()), out.end());
}

/// Sends cancels to a chooser's home, one at a time, until all have ended.
void strike(world& all, std::array<place*, 2> places,
            std::array<std::vector<chooser*>, 2> choosers) {
  weft::core::random_source random(99);
  weft::core::atomic<bool> under_way{false};
  chooser* target = nullptr;
  function_task order([&] {
    target->cancel();
    under_way = false;
  });
  while (all.working.load() > 0) {
    const std::uint32_t side = random.below(2);
    target = choosers[side][random.below(static_cast<std::uint32_t>(choosers[side].size()))];
    under_way = true;
    places[side]->at.post(order);
    while (under_way) std::this_thread::yield();
    for (std::uint32_t i = random.below(3000); i; --i) weft::core::pause_cpu();
  }
}

TEST(mixed, choices_over_local_and_shared_channels_timers_and_cancels) {
  const watchdog dog("mixed choices on two workers");
  world all;
  place left(all, 0);
  place right(all, 0);
  const int performs = scaled(100'000, 3'000);
  std::deque<chooser> owned;
  std::array<std::vector<chooser*>, 2> choosers;
  for (std::uint32_t i = 0; i < 6; ++i)
    choosers[i & 1].push_back(&owned.emplace_back(i & 1 ? right : left, i, performs));
  all.working = 6;
  std::vector<std::thread> threads;
  for (place* p : {&left, &right}) {
    p->at.add_source();
    for (chooser* c : choosers[p == &right]) p->at.ready(*c);
    threads.emplace_back([p] {
      const worker::driving here(p->at);
      EXPECT_EQ(p->at.run(), worker::outcome::idle);
    });
  }
  strike(all, {&left, &right}, choosers);
  function_task end_left([](function_task&, worker& w) { w.drop_source(); });
  function_task end_right([](function_task&, worker& w) { w.drop_source(); });
  left.at.post(end_left);
  right.at.post(end_right);
  for (std::thread& t : threads) t.join();
  int plain = 0;
  for (const auto& side : choosers) {
    expect_agreement(side, arm_kind::local_put, arm_kind::local_get);
    // Each of them, had they begun at once: whoever comes late may find the channel closed.
    for (const chooser* c : side) plain += c->plain;
  }
  EXPECT_GT(plain, 0);
  std::vector<chooser*> everybody = choosers[0];
  everybody.insert(everybody.end(), choosers[1].begin(), choosers[1].end());
  expect_agreement(everybody, arm_kind::common_put, arm_kind::common_get);
}

}  // namespace
}  // namespace weft_test
