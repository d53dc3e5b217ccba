// SPDX-License-Identifier: MIT
// TCP over loopback, names and other people's descriptors, on each backend with 1, 2 and 4 workers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "backends.hpp"
#include "support.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
using weft::errc;
using weft::result;
using weft::task;
using weft::tcp_listener;
using weft::tcp_stream;

std::span<const std::byte> bytes(const std::string& s) { return std::as_bytes(std::span(s)); }
std::span<std::byte> room(std::string& s) { return std::as_writable_bytes(std::span(s)); }

long open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

int scaled(int n) {
  const char* scale = std::getenv("WEFT_TEST_SCALE");
  return std::max(1, static_cast<int>(n * (scale ? std::atof(scale) : 1.0)));
}

class NetTest : public ::testing::TestWithParam<std::tuple<const char*, unsigned>> {
 protected:
  static weft::runtime_options options() {
    weft::runtime_options o;
    o.backend = std::get<0>(GetParam());
    o.workers = std::get<1>(GetParam());
    return o;
  }
  template <class T>
  T run(task<T> t) {
    return rt->block_on(std::move(t));
  }
  /// What a test has opened is closed when its runtime has ended.
  void TearDown() override {
    rt.reset();
    EXPECT_EQ(open_descriptors(), before);
  }

  long before = open_descriptors();
  std::unique_ptr<weft::runtime> rt = std::make_unique<weft::runtime>(options());
};

std::string name_of(const ::testing::TestParamInfo<std::tuple<const char*, unsigned>>& i) {
  return std::string(std::get<0>(i.param)) + "_" + std::to_string(std::get<1>(i.param));
}
INSTANTIATE_TEST_SUITE_P(All, NetTest,
                         ::testing::Combine(::testing::ValuesIn(weft_test::backend_names()),
                                            ::testing::Values(1U, 2U, 4U)),
                         name_of);

task<tcp_listener> listen() { co_return (co_await tcp_listener::bind("127.0.0.1", 0)).value(); }
task<tcp_stream> connect_to(const tcp_listener& l) {
  co_return (co_await tcp_stream::connect("127.0.0.1", l.address()->port())).value();
}

struct connection {
  tcp_stream client;
  tcp_stream server;
  connection(tcp_stream c, tcp_stream s) : client(std::move(c)), server(std::move(s)) {}
};
task<connection> connect_pair() {
  const tcp_listener l = co_await listen();
  tcp_stream client = co_await connect_to(l);
  co_return connection(std::move(client), (co_await l.accept()).value());
}

task<> echo(tcp_stream s) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await s.read_some(buffer);
    if (!n || *n == 0) co_return;
    if (!co_await s.write_all(std::span(buffer).first(*n))) co_return;
  }
}

task<> serve(const tcp_listener* l, int connections) {
  for (int i = 0; i < connections; ++i) weft::spawn(echo, (co_await l->accept()).value()).detach();
}

task<> ask(const tcp_listener* l, int messages, int size, std::atomic<int>* right) {
  tcp_stream s = co_await connect_to(*l);
  for (int i = 0; i < messages; ++i) {
    const std::string sent(static_cast<std::size_t>(size), static_cast<char>('a' + i % 26));
    if (!co_await s.write_all(bytes(sent))) co_return;
    std::string got(sent.size(), '?');
    const auto n = co_await weft::read_all(s, room(got));
    if (n && got == sent) ++*right;
  }
}

// ---------------------------------------------------------------- connections

task<int> echo_round(int connections, int messages) {
  const tcp_listener l = co_await listen();
  std::atomic<int> right = 0;
  weft::spawn(serve, &l, connections).detach();
  co_await weft::scope(
      [](const tcp_listener* on, int n, int each, std::atomic<int>* count) -> task<> {
        for (int i = 0; i < n; ++i) weft::spawn(ask, on, each, 100, count).detach();
        co_return;
      },
      &l, connections, messages, &right);
  co_return right.load();
}

TEST_P(NetTest, EchoesOnOneConnection) { EXPECT_EQ(run(echo_round(1, 1000)), 1000); }
TEST_P(NetTest, EchoesOnManyConnections) {
  const bool few = std::strcmp(std::get<0>(GetParam()), "select") == 0;  // FD_SETSIZE
  const int n = few ? scaled(300) : scaled(1000);
  EXPECT_EQ(run(echo_round(n, 5)), n * 5);
}

task<> addresses() {
  const connection c = co_await connect_pair();
  EXPECT_EQ(c.client.address().value(), c.server.peer_address().value());
  EXPECT_EQ(c.server.address().value(), c.client.peer_address().value());
  EXPECT_EQ(c.client.peer_address()->host(), "127.0.0.1");
  EXPECT_EQ(c.client.peer_address()->text(),
            "127.0.0.1:" + std::to_string(c.client.peer_address()->port()));
}
TEST_P(NetTest, TellsBothAddresses) { run(addresses()); }

task<> half_close() {
  connection c = co_await connect_pair();
  EXPECT_TRUE(co_await c.client.write_all(bytes("last words")));
  EXPECT_TRUE(c.client.shutdown(weft::half::out));
  std::string got(100, 0);
  EXPECT_EQ((co_await weft::read_all(c.server, room(got))).value(), 10U);
  EXPECT_TRUE(co_await c.server.write_all(bytes("an answer")));
  c.server.close();
  EXPECT_EQ((co_await weft::read_all(c.client, room(got))).value(), 9U);
  EXPECT_EQ((co_await c.client.read_some(room(got))).value(), 0U);
  EXPECT_EQ((co_await c.server.read_some(room(got))).error(), errc::closed);
  EXPECT_EQ((co_await c.server.write_some(bytes("x"))).error(), errc::closed);
  EXPECT_EQ(c.server.shutdown(weft::half::both).error(), errc::closed);
  EXPECT_EQ(c.server.peer_address().error(), errc::closed);
}
TEST_P(NetTest, HalfClosesAndReadsToTheEnd) { run(half_close()); }

task<> pump(tcp_stream* s, std::size_t total, unsigned seed) {
  std::vector<std::byte> chunk(50'000);
  std::size_t sent = 0;
  while (sent < total) {
    const std::size_t n = std::min(chunk.size(), total - sent);
    for (std::size_t i = 0; i < n; ++i)
      chunk[i] = static_cast<std::byte>((sent + i) * seed + (sent + i) / 251);
    if (!co_await s->write_all(std::span(chunk).first(n))) co_return;
    sent += n;
  }
  (void)s->shutdown(weft::half::out);
}
task<std::size_t> drain(tcp_stream* s, unsigned seed) {
  std::vector<std::byte> chunk(30'000);
  std::size_t got = 0;
  for (;;) {
    const auto n = co_await s->read_some(chunk);
    if (!n || *n == 0) co_return got;
    for (std::size_t i = 0; i < *n; ++i)
      if (chunk[i] != static_cast<std::byte>((got + i) * seed + (got + i) / 251))
        co_return std::size_t{0};
    got += *n;
  }
}
task<> both_ways(std::size_t total) {
  connection c = co_await connect_pair();
  auto [a, b, x, y] = co_await weft::all(pump(&c.client, total, 7), pump(&c.server, total, 13),
                                         drain(&c.server, 7), drain(&c.client, 13));
  EXPECT_EQ(x, total);
  EXPECT_EQ(y, total);
}
TEST_P(NetTest, CarriesMuchBothWaysAtOnce) {
  run(both_ways(static_cast<std::size_t>(scaled(20)) * 1'000'000));
}

// ---------------------------------------------------------------- errors

task<> refused() {
  std::uint16_t port = 0;
  {
    const tcp_listener l = co_await listen();
    port = l.address()->port();
  }
  co_await weft::sleep(1ms);  // a close on another worker
  EXPECT_EQ((co_await tcp_stream::connect("127.0.0.1", port)).error(),
            std::errc::connection_refused);
}
TEST_P(NetTest, ConnectIsRefused) { run(refused()); }

task<> names() {
  EXPECT_EQ((co_await tcp_stream::connect("no-such-name.invalid", 80)).error().category(),
            weft::weft_category());
  EXPECT_FALSE(co_await weft::resolve("no-such-name.invalid"));
  EXPECT_EQ((co_await weft::resolve(std::string(300, 'a'))).error(), errc::name_unknown);
  const auto numeric = (co_await weft::resolve("::1")).value();
  EXPECT_EQ(numeric.size(), 1U);
  EXPECT_TRUE(numeric[0].is_v6());
  EXPECT_EQ(numeric[0].host(), "::1");
  const auto local = (co_await weft::resolve("localhost")).value();
  EXPECT_FALSE(local.empty());
}
TEST_P(NetTest, LooksNamesUp) { run(names()); }

task<> by_name() {
  const tcp_listener l = (co_await tcp_listener::bind("localhost", 0)).value();
  tcp_stream s = (co_await tcp_stream::connect("localhost", l.address()->port())).value();
  EXPECT_TRUE(co_await l.accept());
  EXPECT_EQ((co_await tcp_listener::bind("localhost", l.address()->port())).error(),
            std::errc::address_in_use);
}
TEST_P(NetTest, BindsAndConnectsByName) { run(by_name()); }

task<> reset() {
  connection c = co_await connect_pair();
  EXPECT_TRUE(co_await c.client.write_all(bytes("never read")));
  co_await weft::sleep(1ms);
  c.server.close();  // with bytes unread: a reset
  co_await weft::sleep(2ms);
  std::string got(10, 0);
  EXPECT_EQ((co_await c.client.read_some(room(got))).error(), std::errc::connection_reset);
}
TEST_P(NetTest, AResetIsAnError) { run(reset()); }

task<> empty_buffers() {
  connection c = co_await connect_pair();
  EXPECT_EQ((co_await c.client.read_some({})).value(), 0U);
  EXPECT_EQ((co_await c.client.write_some({})).value(), 0U);
}
TEST_P(NetTest, EmptyBuffersDoNotWait) { run(empty_buffers()); }

// ---------------------------------------------------------------- cancellation and choices

task<> read_forever(tcp_stream* s, std::string* into) {
  for (;;) (void)(co_await s->read_some(room(*into))).value();
}
task<> accept_forever(tcp_listener* l) {
  for (;;) (void)(co_await l->accept()).value();
}
task<> write_forever(tcp_stream* s) {
  const std::string much(100'000, 'x');
  for (;;) (void)(co_await s->write_some(bytes(much))).value();
}
template <class Handle>
task<bool> ends_cancelled(Handle h) {
  co_await weft::sleep(2ms);
  h.cancel();
  try {
    co_await std::move(h);
  } catch (const weft::cancelled&) {
    co_return true;
  }
  co_return false;
}

task<> cancels() {
  connection c = co_await connect_pair();
  std::string buffer(100, '.');
  EXPECT_TRUE(co_await ends_cancelled(weft::spawn(read_forever, &c.server, &buffer)));
  EXPECT_TRUE(co_await c.client.write_all(bytes("kept")));
  std::string got(4, 0);
  EXPECT_EQ((co_await weft::read_all(c.server, room(got))).value(), 4U);
  EXPECT_EQ(got, "kept");
  EXPECT_EQ(buffer, std::string(100, '.')) << "a cancelled read leaves its buffer alone";

  EXPECT_TRUE(co_await ends_cancelled(weft::spawn(write_forever, &c.client)));

  tcp_listener l = co_await listen();
  EXPECT_TRUE(co_await ends_cancelled(weft::spawn(accept_forever, &l)));
  tcp_stream s = co_await connect_to(l);
  EXPECT_TRUE(co_await l.accept());
}
TEST_P(NetTest, CancelsWhatWaits) { run(cancels()); }

task<> connect_into_nothing(std::uint16_t port, std::vector<tcp_stream>* fill) {
  for (;;) fill->push_back((co_await tcp_stream::connect("127.0.0.1", port)).value());
}
task<> cancels_connect() {
  weft::listen_options o;
  o.backlog = 0;  // the kernel takes one or two, and answers no more
  const tcp_listener l = (co_await tcp_listener::bind("127.0.0.1", 0, o)).value();
  std::vector<tcp_stream> fill;
  EXPECT_TRUE(
      co_await ends_cancelled(weft::spawn(connect_into_nothing, l.address()->port(), &fill)));
  const auto late =
      co_await weft::timeout(tcp_stream::connect_op("127.0.0.1", l.address()->port()), 2ms);
  EXPECT_EQ(late.error(), errc::timeout);
}
TEST_P(NetTest, CancelsAConnect) { run(cancels_connect()); }

task<> slow_writer(tcp_stream* s, int n) {
  for (int i = 0; i < n; ++i) {
    const std::string one(1, static_cast<char>(i));
    if (!co_await s->write_all(bytes(one))) co_return;
    if (i % 3 == 0) co_await weft::sleep(300us);
  }
  s->close();
}
task<> read_with_timeouts(int n) {
  connection c = co_await connect_pair();
  auto writer = weft::spawn(slow_writer, &c.client, n);
  int got = 0;
  int timeouts = 0;
  std::string buffer(3, 0);
  for (;;) {
    const auto r = co_await weft::timeout(c.server.read_some(room(buffer)), 100us);
    if (!r && r.error() == errc::timeout) {
      ++timeouts;
      continue;
    }
    if (r.value() == 0) break;
    for (std::size_t i = 0; i < *r; ++i) EXPECT_EQ(buffer[i], static_cast<char>(got++));
  }
  co_await std::move(writer);
  EXPECT_EQ(got, n);
  EXPECT_GT(timeouts, 0);
}
TEST_P(NetTest, ATimeoutLosesNoByte) { run(read_with_timeouts(scaled(300))); }

task<> two_streams() {
  connection a = co_await connect_pair();
  connection b = co_await connect_pair();
  auto [tx, rx] = weft::channel<int>(1);
  std::string one(10, 0);
  std::string two(10, 0);
  for (int i = 0; i < 50; ++i) {
    tcp_stream& s = i % 2 ? a.client : b.client;
    EXPECT_TRUE(co_await s.write_all(bytes("ping")));
    const auto r = co_await weft::choose(a.server.read_some(room(one)),
                                         b.server.read_some(room(two)), rx.recv_op());
    EXPECT_EQ(r.index(), i % 2 ? 0U : 1U);
    EXPECT_TRUE(co_await tx.send(i));
    const auto k = co_await weft::choose(a.server.read_some(room(one)),
                                         b.server.read_some(room(two)), rx.recv_op());
    EXPECT_EQ(k.index(), 2U);
    co_await weft::yield();
  }
}
TEST_P(NetTest, ChoosesBetweenStreamsAndChannels) { run(two_streams()); }

task<int> read_error(tcp_stream* s) {
  std::string got(1, 0);
  const auto r = co_await s->read_some(room(got));
  co_return r ? 0 : r.error().value();
}
task<int> accept_error(tcp_listener* l) {
  const auto r = co_await l->accept();
  co_return r ? 0 : r.error().value();
}
task<> closes_under_waiters() {
  connection c = co_await connect_pair();
  tcp_listener l = co_await listen();
  auto reader = weft::spawn(read_error, &c.server);
  auto acceptor = weft::spawn(accept_error, &l);
  co_await weft::sleep(2ms);
  c.server.close();
  l.close();
  EXPECT_TRUE(c.server.closed());
  EXPECT_EQ(co_await std::move(reader), static_cast<int>(errc::closed));
  EXPECT_EQ(co_await std::move(acceptor), static_cast<int>(errc::closed));
  EXPECT_EQ((co_await l.accept()).error(), errc::closed);
}
TEST_P(NetTest, ACloseWakesWaitersAsClosed) { run(closes_under_waiters()); }

// ---------------------------------------------------------------- tasks that hop

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
TEST_P(NetTest, EachRoundReadsOnAnyWorker) { run(shared_streams(20, scaled(100))); }

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
TEST_P(NetTest, ATaskMovesToTheHomeOfItsStream) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(moves_home());
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
TEST_P(NetTest, AChoiceBringsItsStreamsTogether) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(gathers());
}

task<int> refuses(tcp_stream* a, tcp_stream* b) {
  std::string got(1, 0);
  std::string too(1, 0);
  try {
    (void)co_await weft::choose(a->read_some(room(got)), b->read_some(room(too)),
                                weft::sleep_op(1s));
    co_return 0;
  } catch (const std::logic_error&) {
    co_return -1;
  }
}
task<> two_homes_in_use() {
  connection a = co_await connect_pair();
  connection b = co_await connect_pair();
  auto one = weft::spawn(waits_at_home, &a.client, std::thread::id());
  EXPECT_TRUE(co_await a.server.write_all(bytes("1")));
  const std::thread::id home = co_await std::move(one);
  co_await weft::spawn(writes_at_home, &b.client, home);
  auto reads_a = weft::spawn(waits_at_home, &a.client, std::thread::id());
  auto reads_b = weft::spawn(waits_at_home, &b.client, std::thread::id());
  co_await weft::sleep(20ms);
  EXPECT_EQ(co_await weft::spawn(refuses, &a.client, &b.client), -1);
  EXPECT_TRUE(co_await a.server.write_all(bytes("1")));
  EXPECT_TRUE(co_await b.server.write_all(bytes("1")));
  EXPECT_EQ(co_await std::move(reads_a), home);
  EXPECT_NE(co_await std::move(reads_b), home);
}
TEST_P(NetTest, AChoiceOfStreamsInUseInTwoPlacesIsRefused) {
  if (std::get<1>(GetParam()) == 1) GTEST_SKIP() << "of several workers";
  run(two_homes_in_use());
}

task<> use_elsewhere(tcp_stream s) {
  std::string got(2, 0);
  EXPECT_EQ((co_await weft::read_all(s, room(got))).value(), 2U);
}
TEST_P(NetTest, OutlivesItsRuntime) {
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

TEST_P(NetTest, IsAnotherRuntimesWhileThatLives) {
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

// ---------------------------------------------------------------- the rest

task<> polls() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
  {
    const weft::pollable in(ends[0]);
    const weft::pollable out(ends[1]);
    EXPECT_TRUE(co_await out.writable());
    EXPECT_EQ((co_await weft::timeout(in.readable(), 1ms)).error(), errc::timeout);
    std::thread other([&] { EXPECT_EQ(::write(ends[1], "x", 1), 1); });
    EXPECT_TRUE(co_await in.readable());
    other.join();
    EXPECT_TRUE(co_await in.readable()) << "as long as it is so";
    char c = 0;
    EXPECT_EQ(::read(ends[0], &c, 1), 1);
    EXPECT_EQ((co_await weft::timeout(in.readable(), 1ms)).error(), errc::timeout);
  }
  co_await weft::sleep(1ms);
  ::close(ends[0]);
  ::close(ends[1]);
}
TEST_P(NetTest, PollsAnotherOnesDescriptor) { run(polls()); }

task<> tries() {
  connection c = co_await connect_pair();
  std::string got(4, 0);
  const auto none = c.server.read_some(room(got)).try_perform();
  EXPECT_FALSE(none.has_value());
  EXPECT_TRUE(co_await c.client.write_all(bytes("four")));
  co_await weft::sleep(1ms);
  if (const auto some = c.server.read_some(room(got)).try_perform()) {
    EXPECT_EQ(some->value(), 4U);
    EXPECT_EQ(got, "four");
  }
}
TEST_P(NetTest, TriesWithoutWaiting) { run(tries()); }

TEST_P(NetTest, IsRefusedToPlainThreads) {
  const auto l = run(listen());
  EXPECT_THROW((void)weft::perform_blocking(l.accept()), std::logic_error);
  EXPECT_THROW((void)weft::perform_blocking(tcp_stream::connect("127.0.0.1", 1)), std::logic_error);
}

/// Memory as a stream: what is written can be read.
class memory_stream {
 public:
  weft::always_operation<result<std::size_t>> read_some(std::span<std::byte> to) {
    const std::size_t n = std::min(to.size(), held_.size() - at_);
    std::copy_n(held_.begin() + static_cast<std::ptrdiff_t>(at_), n, to.begin());
    at_ += n;
    return weft::always(result<std::size_t>(n));
  }
  weft::always_operation<result<std::size_t>> write_some(std::span<const std::byte> from) {
    const std::size_t n = std::min<std::size_t>(from.size(), 3);
    held_.insert(held_.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(n));
    return weft::always(result<std::size_t>(n));
  }

 private:
  std::vector<std::byte> held_;
  std::size_t at_ = 0;
};
static_assert(weft::byte_stream<memory_stream>);
static_assert(weft::byte_stream<tcp_stream>);
static_assert(!weft::byte_stream<tcp_listener>);

task<> memory() {
  memory_stream s;
  EXPECT_TRUE(co_await weft::write_all(s, bytes("through memory")));
  std::string got(14, 0);
  EXPECT_EQ((co_await weft::read_all(s, room(got))).value(), 14U);
  EXPECT_EQ(got, "through memory");
}
TEST_P(NetTest, MemoryIsAByteStreamToo) { run(memory()); }

}  // namespace
