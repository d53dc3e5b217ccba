// SPDX-License-Identifier: MIT
// The shared channel with real threads. Two kinds of test:
//   scenarios  those of models/ (same names), a few thousand times each with threads started at
//   once.
//              Checked as in the model: at most one completion a perform, by an arm of this very
//              one; both sides agree, no message twice or from oneself; one wake-up; no record
//              left; and when nothing moves any more, nobody is parked whose partner is parked too,
//              nor on a closed channel, nor on a buffer that would serve it, nor cancelled.
//   long runs  a hundred thousand performs a thread, one after another, until a close ends them.
#include "weft/core/channel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "support.hpp"
#include "thread_performer.hpp"

namespace weft_test {
namespace {

using weft::core::random_source;
using phase = thread_performer::phase;

constexpr std::size_t most_performs = 2;

message message_of(std::size_t fiber, std::size_t perform) {
  return static_cast<message>(fiber * most_performs + perform + 1);
}
std::size_t sender_of(message m) { return (m - 1) / most_performs; }

// ---------------------------------------------------------------- scenarios

struct scenario_arm {
  arm_kind kind;
  std::size_t channel;
};
constexpr scenario_arm put(std::size_t c) { return {arm_kind::put, c}; }
constexpr scenario_arm get(std::size_t c) { return {arm_kind::get, c}; }
constexpr scenario_arm event = {arm_kind::event, 0};

/// How a round ended, for a scenario's own expectation.
struct ending {
  std::vector<bool> parked;
  std::map<message, std::size_t> put_on;  // by the putter's account
  std::map<message, std::size_t> got_on;  // by the getter's
  long how_many_parked() const { return std::count(parked.begin(), parked.end(), true); }
};

struct scenario {
  const char* name;
  std::vector<std::size_t> capacities;  // one a channel
  std::vector<std::vector<std::vector<scenario_arm>>>
      fibers;                        // performs of a fiber, arms of a perform
  std::vector<std::size_t> cancels;  // fibers
  std::vector<std::size_t> closes;   // channels
  std::function<bool(const ending&)> expect;
};

bool all_done(const ending& e) { return e.how_many_parked() == 0; }
bool one_parked(const ending& e) { return e.how_many_parked() == 1; }
bool anything(const ending&) { return true; }
std::function<bool(const ending&)> done(std::vector<std::size_t> fibers) {
  return [fibers](const ending& e) {
    return std::none_of(fibers.begin(), fibers.end(), [&](std::size_t f) { return e.parked[f]; });
  };
}

/// Lets threads go at once, again and again.
class starting_gate {
 public:
  void open() noexcept {
    round_.fetch_add(1);
    round_.notify_all();
  }
  /// Waits for the round after `seen`.
  void pass(std::uint32_t& seen) const noexcept {
    for (int i = 0; i < 500 && round_.load() == seen; ++i) weft::core::pause_cpu();
    round_.wait(seen);
    ++seen;
  }

 private:
  weft::core::atomic<std::uint32_t> round_{0};
};

/// The threads of one scenario: one a fiber, one a source, one a cancel, one a close.
class arena {
 public:
  explicit arena(const scenario& s) : plan_(s), performers_(s.fibers.size()) {
    for (std::size_t f = 0; f < s.fibers.size(); ++f)
      start([this, f](auto& r) { run_fiber(f, r); });
    for (std::size_t f = 0; f < s.fibers.size(); ++f)
      if (has_event(f)) start_source(f);
    for (const std::size_t f : s.cancels) start_one_shot([this, f] { fiber(f).cancel(); });
    for (const std::size_t c : s.closes)
      start_one_shot([this, c] { channels_[c]->channel.close(); });
  }
  ~arena() {
    over_ = true;
    gate_.open();
    for (std::thread& t : threads_) t.join();
  }
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  void round(bool flip, bool try_first) {
    prepare(flip, try_first);
    gate_.open();
    settle();
    check_quiescence();
    release_parked();
    while (busy_.load() != 0) std::this_thread::yield();
    check_messages();
  }

 private:
  struct source {
    std::size_t fiber;
    weft::core::atomic<bool> busy{false};
    weft::core::atomic<std::uint64_t> fires{0};
  };

  bool has_event(std::size_t f) const {
    for (const auto& perform : plan_.fibers[f])
      for (const scenario_arm& a : perform)
        if (a.kind == arm_kind::event) return true;
    return false;
  }
  /// Which address a fiber has is the order of claims: both are run.
  thread_performer& fiber(std::size_t f) {
    return performers_[flip_ ? performers_.size() - 1 - f : f];
  }

  // ---- the threads ----

  void start(std::function<void(random_source&)> part) {
    threads_.emplace_back([this, part = std::move(part), seed = threads_.size()] {
      random_source random(seed * 2654435761U + 12345);
      for (std::uint32_t seen = 0;;) {
        gate_.pass(seen);
        if (over_) return;
        for (std::uint32_t i = random.below(300); i; --i) weft::core::pause_cpu();
        part(random);
        busy_.fetch_sub(1);
      }
    });
  }
  void start_one_shot(std::function<void()> part) {
    ++shots_;
    start([this, part = std::move(part)](random_source&) {
      part();
      shots_left_.fetch_sub(1);
    });
  }
  void start_source(std::size_t f) {
    source& s = *sources_.emplace_back(std::make_unique<source>());
    s.fiber = f;
    start([this, &s](random_source& random) { run_source(s, random); });
  }

  void run_fiber(std::size_t f, random_source& random) {
    thread_performer& me = fiber(f);
    for (std::size_t p = 0; p < plan_.fibers[f].size() && !abandoned_; ++p)
      outcomes_[f][p] = me.perform(arms_[f][p], message_of(f, p), random, try_first_);
    me.set_phase(phase::done);
  }

  void run_source(source& s, random_source& random) {
    while (!abandoned_) {
      if (!fiber(s.fiber).has_token()) {
        std::this_thread::yield();
        continue;
      }
      s.busy = true;
      s.fires.fetch_add(1);
      const std::uint64_t token = fiber(s.fiber).take_token();
      for (std::uint32_t i = random.below(200); i; --i) weft::core::pause_cpu();
      if (token) fiber(s.fiber).fire(token);
      s.busy = false;
    }
  }

  // ---- a round, from the main thread ----

  void prepare(bool flip, bool try_first) {
    flip_ = flip;
    try_first_ = try_first;
    abandoned_ = false;
    shots_left_ = shots_;
    busy_ = static_cast<int>(threads_.size());
    channels_.clear();
    for (const std::size_t c : plan_.capacities)
      channels_.push_back(std::make_unique<message_channel>(c));
    outcomes_.assign(plan_.fibers.size(), std::vector<outcome>(most_performs, not_performed));
    arms_.assign(plan_.fibers.size(), {});
    for (std::size_t f = 0; f < plan_.fibers.size(); ++f) {
      for (const auto& perform : plan_.fibers[f]) {
        std::vector<arm>& arms = arms_[f].emplace_back();
        for (const scenario_arm& a : perform)
          arms.push_back(
              {a.kind, a.kind == arm_kind::event ? nullptr : channels_[a.channel].get()});
      }
      fiber(f).forget_cancel();
      fiber(f).set_phase(phase::running);
    }
  }

  /// Everybody parked or done, at the time of the call, and nothing under way to them.
  bool look(std::vector<std::uint64_t>& marks) {
    marks.clear();
    bool still = shots_left_.load() == 0;
    for (thread_performer& f : performers_) {
      still = still && !f.wake_up_pending() && f.now() != phase::running;
      marks.push_back(f.parks());
      marks.push_back(f.now() == phase::done);
    }
    for (const auto& s : sources_) {
      still = still && !fiber(s->fiber).has_token() && !s->busy.load();
      marks.push_back(s->fires.load());
    }
    return still;
  }
  /// Two looks that see the same: between them was a moment at which nobody moved.
  void settle() {
    std::vector<std::uint64_t> first;
    std::vector<std::uint64_t> second;
    while (!look(first) || !look(second) || first != second) std::this_thread::yield();
  }

  bool parked(std::size_t f) { return fiber(f).now() == phase::parked; }
  static bool match(const arm& a, const arm& b) {
    return a.kind != arm_kind::event && b.kind != arm_kind::event && a.kind != b.kind &&
           a.on == b.on;
  }
  void check_quiescence() {
    for (std::size_t f = 0; f < performers_.size(); ++f) {
      if (!parked(f)) continue;
      EXPECT_FALSE(fiber(f).cancel_requested()) << "a lost cancel: fiber " << f;
      for (const arm& a : fiber(f).arms()) check_arm(f, a);
    }
  }
  void check_arm(std::size_t f, const arm& a) {
    ASSERT_NE(a.kind, arm_kind::event) << "a lost event: fiber " << f;
    EXPECT_FALSE(a.on->channel.closed()) << "a lost close: fiber " << f;
    EXPECT_EQ(a.on->buffer.size(), a.kind == arm_kind::get ? 0 : a.on->channel.capacity());
    for (std::size_t g = 0; g < performers_.size(); ++g) {
      if (g == f || !parked(g)) continue;
      for (const arm& b : fiber(g).arms())
        EXPECT_FALSE(match(a, b)) << "a lost match: fibers " << f << " and " << g;
    }
  }

  /// Whoever has nobody left to meet is let go, by a cancel that is not the scenario's.
  void release_parked() {
    ending_.parked.assign(performers_.size(), false);
    for (std::size_t f = 0; f < performers_.size(); ++f) ending_.parked[f] = parked(f);
    abandoned_ = true;
    for (std::size_t f = 0; f < performers_.size(); ++f)
      if (ending_.parked[f]) fiber(f).cancel();
  }

  void check_messages() {
    ending_.put_on.clear();
    ending_.got_on.clear();
    for (std::size_t f = 0; f < performers_.size(); ++f)
      for (std::size_t p = 0; p < plan_.fibers[f].size(); ++p) note(f, p, outcomes_[f][p]);
    for (std::size_t c = 0; c < channels_.size(); ++c)
      for (const message m : channels_[c]->buffer)
        EXPECT_TRUE(ending_.got_on.emplace(m, c).second) << "got and in the buffer";
    EXPECT_EQ(ending_.put_on, ending_.got_on) << "the sides do not agree";
    EXPECT_TRUE(plan_.expect(ending_));
  }
  void note(std::size_t f, std::size_t p, const outcome& o) {
    if (o.arm == not_performed.arm || o.cancelled()) return;
    ASSERT_LT(o.arm, plan_.fibers[f][p].size());
    const scenario_arm& a = plan_.fibers[f][p][o.arm];
    if (a.kind == arm_kind::event) return;
    if (o.closed) {
      EXPECT_TRUE(channels_[a.channel]->channel.closed());
      EXPECT_EQ(o.received, 0U);
    } else if (a.kind == arm_kind::put) {
      ending_.put_on[message_of(f, p)] = a.channel;
    } else {
      ASSERT_NE(o.received, 0U);
      EXPECT_NE(sender_of(o.received), f) << "its own message";
      EXPECT_TRUE(ending_.got_on.emplace(o.received, a.channel).second) << "a message twice";
    }
  }

  static constexpr outcome not_performed = {weft::core::winner_unset, false, 0};

  const scenario& plan_;
  std::vector<thread_performer> performers_;
  std::vector<std::unique_ptr<message_channel>> channels_;
  std::vector<std::vector<std::vector<arm>>> arms_;
  std::vector<std::vector<outcome>> outcomes_;
  std::vector<std::unique_ptr<source>> sources_;
  ending ending_;
  bool flip_ = false;
  bool try_first_ = true;
  int shots_ = 0;
  weft::core::atomic<int> shots_left_{0};
  weft::core::atomic<int> busy_{0};
  weft::core::atomic<bool> abandoned_{false};
  weft::core::atomic<bool> over_{false};
  starting_gate gate_;
  std::vector<std::thread> threads_;
};

const std::vector<std::size_t> one = {0};
const std::vector<std::size_t> two = {0, 0};
const std::vector<std::size_t> three = {0, 0, 0};

// refill is not in the model. A timer of the model is a source here: the wheel of another worker
// could not be nearer.
const std::vector<scenario> scenarios = {
    {"put_get", one, {{{put(0)}}, {{get(0)}}}, {}, {}, all_done},
    {"two_putters",
     two,
     {{{put(0)}}, {{put(1)}}, {{get(0), get(1)}}},
     {},
     {},
     [](const ending& e) { return !e.parked[2] && one_parked(e); }},
    {"two_putters_one_channel",
     one,
     {{{put(0)}}, {{put(0)}}, {{get(0)}}},
     {},
     {},
     [](const ending& e) { return !e.parked[2] && one_parked(e); }},
    {"crossed", two, {{{put(0), get(1)}}, {{put(1), get(0)}}}, {}, {}, all_done},
    {"crossed_same", two, {{{put(0), get(1)}}, {{get(0), put(1)}}}, {}, {}, all_done},
    {"ring",
     three,
     {{{put(0), get(1)}}, {{put(1), get(2)}}, {{put(2), get(0)}}},
     {},
     {},
     one_parked},
    {"ring_cancel",
     three,
     {{{put(0), get(1)}}, {{put(1), get(2)}}, {{put(2), get(0)}}},
     {1},
     {},
     [](const ending& e) { return !e.parked[1] && e.how_many_parked() <= 1; }},
    {"timer", one, {{{get(0), event}}, {{put(0)}}}, {}, {}, done({0})},
    {"timer_crossed",
     two,
     {{{put(0), get(1), event}}, {{put(1), get(0), event}}},
     {},
     {},
     all_done},
    {"half_published", two, {{{put(0), get(1)}}, {{event, get(0)}}, {{put(1)}}}, {}, {}, done({1})},
    {"half_published_pure",
     three,
     {{{put(0), get(1)}}, {{get(2), get(0)}}, {{put(1)}}, {{put(2)}}},
     {},
     {},
     done({1})},
    {"self", one, {{{put(0), get(0)}}}, {}, {}, one_parked},
    {"self_third", one, {{{get(0), put(0)}}, {{put(0), get(0)}}, {{put(0)}}}, {}, {}, one_parked},
    {"cancel_alone", one, {{{get(0)}}}, {0}, {}, all_done},
    {"cancel_one",
     one,
     {{{put(0)}}, {{get(0)}}},
     {0},
     {},
     [](const ending& e) { return !e.parked[0] && e.put_on.count(1) == !e.parked[1]; }},
    {"cancel_both", two, {{{put(0), get(1)}}, {{put(1), get(0)}}}, {0, 1}, {}, all_done},
    {"cancel_third", one, {{{put(0)}}, {{get(0)}}, {{get(0)}}}, {1}, {}, done({0, 1})},
    {"twice", two, {{{get(0), event}, {get(1)}}, {{put(0)}}}, {}, {}, anything},
    {"twice_cancel", two, {{{get(0), event}, {get(0), get(1)}}, {{put(0)}}}, {0}, {}, done({0})},
    {"twice_crossed",
     two,
     {{{put(0), get(1)}, {get(0), put(1)}}, {{put(1), get(0)}, {put(0), get(1)}}},
     {},
     {},
     all_done},
    {"twice_ring",
     two,
     {{{put(0), get(1)}, {put(1), get(0)}}, {{put(1), get(0)}}, {{get(1)}}},
     {},
     {},
     anything},
    {"close", one, {{{put(0)}}, {{get(0)}}}, {}, {0}, all_done},
    {"close_crossed", two, {{{put(0), get(1)}}, {{put(1), get(0)}}}, {}, {0}, all_done},
    {"buffered", {1}, {{{put(0)}}, {{put(0)}}, {{get(0)}, {get(0)}}}, {}, {}, all_done},
    {"refill", {1}, {{{put(0)}}, {{put(0)}}, {{get(0)}}}, {}, {}, all_done},
    {"buffered_choice",
     {1, 1},
     {{{put(0)}, {put(0), put(1)}}, {{get(1), get(0)}}},
     {0},
     {1},
     all_done},
    {"buffered_self",
     {1},
     {{{put(0), get(0)}}, {{get(0), put(0)}}},
     {},
     {},
     [](const ending& e) { return e.how_many_parked() <= 1; }},
    {"storm", two, {{{put(0), get(1), event}}, {{put(1), get(0), event}}}, {0}, {1}, all_done},
};

class shared_channel : public testing::TestWithParam<scenario> {};

TEST_P(shared_channel, scenario) {
  const scenario& s = GetParam();
  const watchdog dog(std::string("shared_channel: ") + s.name);
  arena threads(s);
  for (int i = scaled(4000, 200); i > 0 && !HasFailure(); --i) threads.round(i & 1, i & 2);
}

INSTANTIATE_TEST_SUITE_P(models, shared_channel, testing::ValuesIn(scenarios),
                         [](const auto& info) { return std::string(info.param.name); });

// ---------------------------------------------------------------- long runs

/// Performers that go on until their channels are closed; what each put and got, by channel.
class long_run {
 public:
  explicit long_run(std::vector<std::size_t> capacities) {
    for (const std::size_t c : capacities)
      channels_.push_back(std::make_unique<message_channel>(c));
  }

  /// One choice after another; `arms_of` makes each. The n-th ends the run for all.
  void add(int n, std::function<std::vector<scenario_arm>(random_source&)> arms_of) {
    accounts_.push_back(std::make_unique<account>());
    parts_.push_back([this, n, arms_of, id = accounts_.size() - 1] { run_part(id, n, arms_of); });
  }
  void add(int n, std::vector<scenario_arm> arms) {
    add(n, [arms](random_source&) { return arms; });
  }
  /// Strikes at whoever waits, with events and cancels, until the run is over.
  void disturb(std::function<void(thread_performer&)> strike) { strike_ = std::move(strike); }

  void run() {
    working_ = static_cast<int>(parts_.size());
    std::vector<std::thread> threads;
    for (auto& part : parts_) threads.emplace_back(part);
    if (strike_) threads.emplace_back([this] { run_strikes(); });
    for (std::thread& t : threads) t.join();
    check();
  }

  /// What a channel's getters saw, in order; for one getter.
  const std::vector<message>& got(std::size_t part, std::size_t channel) {
    return accounts_[part]->got[channel];
  }

 private:
  struct account {
    thread_performer performer;
    std::map<std::size_t, std::vector<message>> put;
    std::map<std::size_t, std::vector<message>> got;
  };

  void run_part(std::size_t id, int n,
                const std::function<std::vector<scenario_arm>(random_source&)>& arms_of) {
    account& mine = *accounts_[id];
    random_source random(id * 7919 + 17);
    std::vector<arm> arms;
    for (int i = 0; i < n; ++i) {
      const std::vector<scenario_arm> plan = arms_of(random);
      arms.clear();
      for (const scenario_arm& a : plan)
        arms.push_back({a.kind, a.kind == arm_kind::event ? nullptr : channels_[a.channel].get()});
      const message offer = static_cast<message>(id << 24) + static_cast<message>(i) + 1;
      const outcome o = mine.performer.perform(arms, offer, random, random.below(4) != 0);
      if (o.closed) break;
      note(mine, plan, o, offer);
    }
    for (auto& c : channels_) c->channel.close();
    working_.fetch_sub(1);
  }
  static void note(account& mine, const std::vector<scenario_arm>& plan, const outcome& o,
                   message offer) {
    if (o.cancelled()) return;
    const scenario_arm& a = plan[o.arm];
    if (a.kind == arm_kind::put) mine.put[a.channel].push_back(offer);
    if (a.kind == arm_kind::get) mine.got[a.channel].push_back(o.received);
  }

  void run_strikes() {
    random_source random(4711);
    while (working_.load() > 0) {
      strike_(accounts_[random.below(static_cast<std::uint32_t>(accounts_.size()))]->performer);
      for (std::uint32_t i = random.below(2000); i; --i) weft::core::pause_cpu();
    }
  }

  void check() {
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      std::vector<message> in;
      std::vector<message> out(channels_[c]->buffer.begin(), channels_[c]->buffer.end());
      for (auto& a : accounts_) {
        in.insert(in.end(), a->put[c].begin(), a->put[c].end());
        out.insert(out.end(), a->got[c].begin(), a->got[c].end());
      }
      std::sort(in.begin(), in.end());
      std::sort(out.begin(), out.end());
      EXPECT_EQ(in == out, true) << "channel " << c << ": " << in.size() << " put, " << out.size()
                                 << " got or left";
      EXPECT_EQ(std::adjacent_find(out.begin(), out.end()), out.end()) << "a message twice";
    }
  }

  std::vector<std::unique_ptr<message_channel>> channels_;
  std::vector<std::unique_ptr<account>> accounts_;
  std::vector<std::function<void()>> parts_;
  std::function<void(thread_performer&)> strike_;
  weft::core::atomic<int> working_{0};
};

int performs() { return scaled(100'000, 2'000); }

/// Each sender's messages in the order in which it sent them.
void expect_order_per_sender(const std::vector<message>& got) {
  std::map<message, message> last;
  for (const message m : got) {
    EXPECT_GT(m, last[m >> 24]);
    last[m >> 24] = m;
  }
}

TEST(shared_channel_run, rendezvous) {
  const watchdog dog("rendezvous");
  long_run r({0});
  r.add(performs(), {put(0)});
  r.add(performs(), {get(0)});
  r.run();
  expect_order_per_sender(r.got(1, 0));
}

TEST(shared_channel_run, many_putters_one_getter_in_order) {
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{7}}) {
    const watchdog dog("many putters, capacity " + std::to_string(capacity));
    long_run r({capacity});
    for (int i = 0; i < 3; ++i) r.add(performs(), {put(0)});
    r.add(2 * performs(), {get(0)});
    r.run();
    expect_order_per_sender(r.got(3, 0));
  }
}

TEST(shared_channel_run, many_to_many) {
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{64}}) {
    const watchdog dog("many to many, capacity " + std::to_string(capacity));
    long_run r({capacity});
    for (int i = 0; i < 2; ++i) {
      r.add(performs(), {put(0)});
      r.add(performs(), {get(0)});
    }
    r.run();
  }
}

TEST(shared_channel_run, unbounded) {
  const watchdog dog("unbounded");
  long_run r({weft::core::unbounded});
  r.add(performs(), {put(0)});
  r.add(performs(), {get(0)});
  r.run();
  expect_order_per_sender(r.got(1, 0));
}

TEST(shared_channel_run, anybody_may_ask_for_its_size) {
  const watchdog dog("size, closed");
  message_channel c(8);
  weft::core::atomic<bool> over{false};
  std::thread curious([&] {
    while (!over) EXPECT_LE(c.channel.size(), 8U);
    EXPECT_TRUE(c.channel.closed());
  });
  thread_performer p;
  random_source random(1);
  const std::vector<arm> put_it = {{arm_kind::put, &c}};
  const std::vector<arm> get_it = {{arm_kind::get, &c}};
  for (int i = performs() / 100; i > 0; --i)
    for (const auto& arms : {put_it, put_it, get_it, get_it}) p.perform(arms, 1, random);
  c.channel.close();
  over = true;
  curious.join();
}

TEST(shared_channel_run, crossed_choices) {
  const watchdog dog("crossed choices");
  long_run r({0, 0});
  r.add(performs(), {put(0), get(1)});
  r.add(performs(), {put(1), get(0)});
  r.run();
}

TEST(shared_channel_run, ring_of_three) {
  const watchdog dog("ring of three");
  long_run r({0, 0, 0});
  r.add(performs(), {put(0), get(1)});
  r.add(performs(), {put(1), get(2)});
  r.add(performs(), {put(2), get(0)});
  r.run();
}

TEST(shared_channel_run, never_with_itself) {
  const watchdog dog("never with itself");
  long_run r({0});
  for (int i = 0; i < 3; ++i) r.add(performs(), {put(0), get(0)});
  r.run();
  for (std::size_t i = 0; i < 3; ++i)
    for (const message m : r.got(i, 0)) EXPECT_NE(m >> 24, i);
}

// Both a put and a get on channel 0 are in every choice, so that any two that are parked match:
// what hangs has lost a match.
std::vector<scenario_arm> any_choice(random_source& random) {
  std::vector<scenario_arm> arms = {put(0), get(0)};
  for (std::uint32_t i = random.below(4); i; --i)
    arms.push_back({random.below(2) ? arm_kind::put : arm_kind::get, random.below(4)});
  for (std::size_t i = arms.size() - 1; i; --i)
    std::swap(arms[i], arms[random.below(static_cast<std::uint32_t>(i + 1))]);
  return arms;
}

TEST(shared_channel_run, any_choice_over_four_channels) {
  const watchdog dog("any choice");
  long_run r({0, 0, 1, 3});
  for (int i = 0; i < 4; ++i) r.add(performs() / 2, any_choice);
  r.run();
}

TEST(shared_channel_run, any_choice_with_events) {
  const watchdog dog("any choice with events");
  long_run r({0, 0, 1, 3});
  for (int i = 0; i < 4; ++i)
    r.add(performs() / 2, [](random_source& random) {
      std::vector<scenario_arm> arms = any_choice(random);
      arms.insert(arms.begin() + random.below(static_cast<std::uint32_t>(arms.size())), event);
      return arms;
    });
  r.disturb([](thread_performer& t) {
    if (const std::uint64_t token = t.take_token()) t.fire(token);
  });
  r.run();
}

TEST(shared_channel_run, any_choice_with_cancels) {
  const watchdog dog("any choice with cancels");
  long_run r({0, 0, 1, 3});
  for (int i = 0; i < 4; ++i) r.add(performs() / 2, any_choice);
  // Two strikes: one cancels, the next one at the same performer lets it go on.
  r.disturb([](thread_performer& t) {
    if (t.cancel_requested())
      t.forget_cancel();
    else
      t.cancel();
  });
  r.run();
}

}  // namespace
}  // namespace weft_test
