// SPDX-License-Identifier: MIT
// TCP over loopback, names and other people's descriptors, on each backend with 1, 2 and 4 workers.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "memory_stream.hpp"
#include "net_support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::errc;
using weft::result;
using weft::task;
using weft::tcp_listener;
using weft::tcp_stream;

INSTANTIATE_TEST_SUITE_P(All, NetTest,
                         ::testing::Combine(::testing::ValuesIn(weft_test::backend_names()),
                                            ::testing::Values(1U, 2U, 4U)),
                         name_of);

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
  const taken_port nobodys;
  EXPECT_EQ((co_await tcp_stream::connect("127.0.0.1", nobodys.number())).error(),
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
  std::string got(1, 0);
  EXPECT_EQ((co_await c.server.read_some(room(got))).value(), 1U);
  c.server.close();  // with bytes unread: a reset
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
  for (;;) {
    auto late =
        co_await weft::timeout(tcp_stream::connect_op("127.0.0.1", l.address()->port()), 2ms);
    if (late) {
      fill.push_back(std::move(*late));
      continue;
    }
    EXPECT_EQ(late.error(), errc::timeout);
    break;
  }
}
TEST_P(NetTest, CancelsAConnect) { run(cancels_connect()); }

/// It ends when the reader has been impatient.
task<> slow_writer(tcp_stream* s, int n, const std::atomic<int>* timeouts) {
  for (int i = 0; i < n; ++i) {
    const std::string one(1, static_cast<char>(i));
    if (!co_await s->write_all(bytes(one))) co_return;
    if (i % 3 == 0) co_await weft::sleep(300us);
  }
  while (*timeouts == 0) co_await weft::sleep(300us);
  s->close();
}
task<> read_with_timeouts(int n) {
  connection c = co_await connect_pair();
  std::atomic<int> timeouts = 0;
  auto writer = weft::spawn(slow_writer, &c.client, n, &timeouts);
  int got = 0;
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
