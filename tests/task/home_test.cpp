// SPDX-License-Identifier: MIT
// Descriptors at home on one worker, and tasks of others that perform on them.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net_support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::errc;
using weft::task;
using weft::tcp_listener;
using weft::tcp_stream;

class HomeTest : public NetTest {};
INSTANTIATE_TEST_SUITE_P(All, HomeTest,
                         ::testing::Combine(::testing::ValuesIn(weft_test::backend_names()),
                                            ::testing::Values(1U, 2U, 4U)),
                         name_of);

task<int> reads_one(tcp_stream* s) {
  std::string got(1, 0);
  for (int i = 0; i < 20; ++i) co_await weft::yield();
  const auto r = co_await s->read_some(room(got));
  co_return r && *r == 1 ? got[0] - 'a' : -1;
}
task<> shared_streams(int streams, int rounds) {
  std::vector<connection> all;
  for (int i = 0; i < streams; ++i) all.push_back(co_await connect_pair());
  for (int r = 0; r < rounds; ++r) {
    std::vector<weft::join_handle<int>> readers;
    for (connection& c : all) readers.push_back(weft::spawn(reads_one, &c.server));
    const std::string one(1, static_cast<char>('a' + r % 26));
    for (connection& c : all) EXPECT_TRUE(co_await c.client.write_all(bytes(one)));
    for (auto& h : readers) EXPECT_EQ(co_await std::move(h), r % 26);
  }
}
TEST_P(HomeTest, EachRoundReadsOnAnyWorker) { run(shared_streams(20, scaled(100))); }

task<> holds(std::thread::id home, std::shared_ptr<std::atomic<bool>> until) {
  while (std::this_thread::get_id() == home && !*until) std::this_thread::yield();
  co_return;
}
/// Goes on on another thread than `home`, from which it is stolen while somebody else holds that.
task<> leaves(std::thread::id home) {
  while (std::this_thread::get_id() == home) {
    const auto left = std::make_shared<std::atomic<bool>>(false);
    weft::spawn(holds, home, left).detach();
    co_await weft::yield();
    *left = true;
  }
}
task<std::thread::id> writes_at_home(tcp_stream* s, std::thread::id away_from) {
  co_await leaves(away_from);
  EXPECT_TRUE(co_await s->write_some(bytes("x")));
  co_return std::this_thread::get_id();
}
task<std::thread::id> waits_at_home(tcp_stream* s, std::thread::id away_from) {
  std::string got(1, 0);
  co_await leaves(away_from);
  EXPECT_EQ((co_await s->read_some(room(got))).value(), 1U);
  co_return std::this_thread::get_id();
}
task<> moves_home() {
  connection c = co_await connect_pair();
  EXPECT_TRUE(co_await c.client.write_some(bytes("y")));
  const std::thread::id home = std::this_thread::get_id();
  for (int i = 0; i < 3; ++i) {
    auto reader = weft::spawn(waits_at_home, &c.server, std::thread::id());
    const std::thread::id reads_at = co_await std::move(reader);
    auto again = weft::spawn(waits_at_home, &c.server, reads_at);
    auto writer = weft::spawn(writes_at_home, &c.client, home);
    EXPECT_EQ(co_await std::move(writer), home);
    EXPECT_EQ(co_await std::move(again), reads_at);
    EXPECT_TRUE(co_await c.client.write_some(bytes("y")));
  }
}
TEST_P(HomeTest, ATaskMovesToTheHomeOfItsStream) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(moves_home());
}

task<std::thread::id> writes_here(tcp_stream* s) {
  EXPECT_TRUE(co_await s->write_some(bytes("x")));
  co_return std::this_thread::get_id();
}
task<std::thread::id> reads_here(tcp_stream* s) {
  std::string got(1, 0);
  EXPECT_EQ((co_await s->read_some(room(got))).value(), 1U);
  co_return std::this_thread::get_id();
}
task<> swallow(tcp_stream* s) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await s->read_some(buffer);
    if (!n || *n == 0) co_return;
  }
}
task<std::thread::id> thread_of() { co_return std::this_thread::get_id(); }

/// Where each of n writes is done, by tasks that begin on w.
task<std::vector<std::thread::id>> visits(tcp_stream* s, weft::worker_handle w, int n) {
  std::vector<std::thread::id> places;
  for (int i = 0; i < n; ++i) {
    auto writer = weft::spawn_on(w, writes_here, s);
    places.push_back(co_await writer);
  }
  co_return std::move(places);
}
task<> goes_home_with_visitors(weft::runtime* rt) {
  connection c = co_await connect_pair();
  auto ask_first = weft::spawn_on(rt->worker(0), thread_of);
  auto ask_second = weft::spawn_on(rt->worker(1), thread_of);
  const std::thread::id first = co_await ask_first;
  const std::thread::id second = co_await ask_second;
  co_await visits(&c.client, rt->worker(0), 1);
  auto places = co_await visits(&c.client, rt->worker(1), 20);
  EXPECT_EQ(std::count(places.begin(), places.end(), first), 7);
  EXPECT_EQ(std::count(places.begin(), places.begin() + 7, first), 7);
  EXPECT_EQ(std::count(places.begin(), places.end(), second), 13);

  // Seven and one who is at home are not eight in a row.
  co_await visits(&c.client, rt->worker(0), 7);
  co_await visits(&c.client, rt->worker(1), 1);
  places = co_await visits(&c.client, rt->worker(0), 7);
  EXPECT_EQ(std::count(places.begin(), places.end(), second), 7);

  // Somebody waits there: it stays, until he has gone.
  auto reader = weft::spawn_on(rt->worker(1), reads_here, &c.client);
  co_await settle(rt);
  places = co_await visits(&c.client, rt->worker(0), 20);
  EXPECT_EQ(std::count(places.begin(), places.end(), second), 20);
  EXPECT_TRUE(co_await c.server.write_some(bytes("1")));
  EXPECT_EQ(co_await reader, second);
  places = co_await visits(&c.client, rt->worker(0), 20);
  EXPECT_EQ(places.back(), first);

  // It waits at its new home as at the old one.
  auto late = weft::spawn_on(rt->worker(1), reads_here, &c.client);
  co_await settle(rt);
  EXPECT_TRUE(co_await c.server.write_some(bytes("2")));
  EXPECT_EQ(co_await late, first);
}
TEST_P(HomeTest, AStreamGoesHomeWithItsVisitors) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(goes_home_with_visitors(rt.get()));
}

task<bool> writes_or_finds_it_closed(tcp_stream* s) {
  const auto r = co_await s->write_some(bytes("x"));
  co_return r || r.error() == errc::closed || r.error() == std::errc::broken_pipe;
}
/// Nine visits from each worker in turn: it goes round with them.
task<bool> leads_around(tcp_stream* s, weft::runtime* rt, unsigned n) {
  for (unsigned i = 0; i < n && !s->closed(); ++i) {
    auto writer = weft::spawn_on(rt->worker(i / 9 % rt->workers()), writes_or_finds_it_closed, s);
    if (!co_await writer) co_return false;
  }
  co_return true;
}
task<> closes_a_wanderer(weft::runtime* rt, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    connection c = co_await connect_pair();
    auto swallows = weft::spawn(swallow, &c.server);
    auto one = weft::spawn(leads_around, &c.client, rt, 200U);
    auto other = weft::spawn(leads_around, &c.client, rt, i % 3 == 0 ? 200U : 0U);
    for (int k = 0; k < 20 + i % 50; ++k) co_await weft::yield();
    c.client.close();
    EXPECT_TRUE(co_await one);
    EXPECT_TRUE(co_await other);
    co_await swallows;
  }
}
TEST_P(HomeTest, AStreamThatWandersIsClosedOnce) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(closes_a_wanderer(rt.get(), scaled(300)));
}

task<> gathers() {
  connection a = co_await connect_pair();
  connection b = co_await connect_pair();
  std::string got(1, 0);
  std::string too(1, 0);
  for (int i = 0; i < 3; ++i) {
    const std::thread::id first =
        co_await weft::spawn(writes_at_home, &a.client, std::thread::id());
    co_await weft::spawn(writes_at_home, &b.client, first);
    EXPECT_EQ((co_await a.server.read_some(room(got))).value(), 1U);
    EXPECT_EQ((co_await b.server.read_some(room(got))).value(), 1U);
    // Two clients, each at home where it wrote first: one choice waits for both.
    EXPECT_TRUE(co_await (i % 2 ? a.server : b.server).write_all(bytes("z")));
    const auto r =
        co_await weft::choose(a.client.read_some(room(got)), b.client.read_some(room(too)));
    EXPECT_EQ(r.index(), i % 2 ? 0U : 1U);
    if (i == 1) a = co_await connect_pair();
  }
}
TEST_P(HomeTest, AChoiceBringsItsStreamsTogether) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(gathers());
}

task<int> refuses(tcp_stream* a, tcp_stream* b) {
  std::string got(1, 0);
  std::string too(1, 0);
  try {
    (void)co_await weft::choose(a->read_some(room(got)), b->read_some(room(too)),
                                weft::sleep_op(1h));
    co_return 0;
  } catch (const std::logic_error&) {
    co_return -1;
  }
}
task<> two_homes_in_use(weft::runtime* rt) {
  connection a = co_await connect_pair();
  connection b = co_await connect_pair();
  auto one = weft::spawn(waits_at_home, &a.client, std::thread::id());
  EXPECT_TRUE(co_await a.server.write_all(bytes("1")));
  const std::thread::id home = co_await std::move(one);
  co_await weft::spawn(writes_at_home, &b.client, home);
  auto reads_a = weft::spawn(waits_at_home, &a.client, std::thread::id());
  auto reads_b = weft::spawn(waits_at_home, &b.client, std::thread::id());
  co_await settle(rt);
  EXPECT_EQ(co_await weft::spawn(refuses, &a.client, &b.client), -1);
  EXPECT_TRUE(co_await a.server.write_all(bytes("1")));
  EXPECT_TRUE(co_await b.server.write_all(bytes("1")));
  EXPECT_EQ(co_await std::move(reads_a), home);
  EXPECT_NE(co_await std::move(reads_b), home);
}
TEST_P(HomeTest, AChoiceOfStreamsInUseInTwoPlacesIsRefused) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(two_homes_in_use(rt.get()));
}

task<> use_elsewhere(tcp_stream s) {
  std::string got(2, 0);
  EXPECT_EQ((co_await weft::read_all(s, room(got))).value(), 2U);
}
TEST_P(HomeTest, OutlivesItsRuntime) {
  auto c = std::make_unique<connection>(run(connect_pair()));
  run([](connection* k) -> task<> {
    EXPECT_TRUE(co_await k->client.write_all(bytes("a")));
    std::string got(1, 0);
    EXPECT_EQ((co_await k->server.read_some(room(got))).value(), 1U);
    EXPECT_TRUE(co_await k->client.write_all(bytes("bc")));
  }(c.get()));
  rt = std::make_unique<weft::runtime>(options());
  run(use_elsewhere(std::move(c->server)));
  rt.reset();
  c.reset();
}

TEST_P(HomeTest, IsAnotherRuntimesWhileThatLives) {
  auto c = std::make_unique<connection>(run(connect_pair()));
  run([](connection* k) -> task<> {
    EXPECT_TRUE(co_await k->client.write_all(bytes("a")));
  }(c.get()));
  weft::runtime second;
  second.block_on([](connection* k) -> task<> {
    EXPECT_EQ((co_await k->client.write_some(bytes("b"))).error(),
              std::errc::device_or_resource_busy);
  }(c.get()));
  c.reset();
}

/// How many connections it has taken, on the worker that it began on.
task<int> accepts_here(tcp_listener* l, std::atomic<int>* all) {
  const std::thread::id here = std::this_thread::get_id();
  int taken = 0;
  while (co_await l->accept()) {
    EXPECT_EQ(std::this_thread::get_id(), here);
    ++taken;
    ++*all;
  }
  co_return taken;
}
task<> shares_a_port(weft::runtime* rt, int connections) {
  weft::listen_options o;
  o.reuse_port = true;
  std::vector<tcp_listener> listeners;
  std::uint16_t port = 0;
  for (unsigned i = 0; i < rt->workers(); ++i) {
    listeners.push_back((co_await tcp_listener::bind("127.0.0.1", port, o)).value());
    port = listeners[0].address()->port();
  }
  std::atomic<int> all{0};
  std::vector<weft::join_handle<int>> acceptors;
  for (unsigned i = 0; i < rt->workers(); ++i)
    acceptors.push_back(weft::spawn_on(rt->worker(i), accepts_here, &listeners[i], &all));
  std::vector<tcp_stream> clients;
  for (int i = 0; i < connections; ++i) clients.push_back((co_await connect_to(listeners[0])));
  while (all < connections) co_await weft::sleep(1ms);
  for (tcp_listener& l : listeners) l.close();
  for (auto& a : acceptors) EXPECT_GT(co_await std::move(a), 0);
}
TEST_P(HomeTest, AListenerAWorkerSharesAPort) { run(shares_a_port(rt.get(), 200)); }

}  // namespace
