// SPDX-License-Identifier: MIT
// What every backend does with requests: whole operations that end with a result.
#include <algorithm>
#include <deque>
#include <random>

#include "fixture.hpp"

using namespace weft_test;
using kind = io_request::kind;

namespace {

class reactor_request : public reactor_test {};

TEST_P(reactor_request, connect_accept_read_write) {
  sockaddr_in address;
  attached listener(*io, listening(address));
  sockaddr_in peer = {};
  request accept(kind::accept, listener, &peer, sizeof peer);
  io->submit(accept);
  poll();
  EXPECT_FALSE(accept.ended());

  attached client(*io, tcp_socket());
  poll();  // epoll reports a socket that has not connected as hung up
  request connect(kind::connect, client, &address, sizeof address);
  io->submit(connect);
  until([&] { return connect.ended() && accept.ended(); });
  ASSERT_EQ(connect.result, 0);
  ASSERT_GE(accept.result, 0);
  EXPECT_FALSE(client.hung_up);
  EXPECT_EQ(accept.size, sizeof peer);
  EXPECT_EQ(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  attached server(*io, unique_fd(static_cast<int>(accept.result)));
  EXPECT_TRUE(::fcntl(server.fd, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(server.fd, F_GETFD) & FD_CLOEXEC);

  char text[] = "hello";
  char data[16];
  request read(kind::read, server, data, sizeof data);
  io->submit(read);
  poll();
  EXPECT_FALSE(read.ended());
  request write(kind::write, client, text, 5);
  io->submit(write);
  until([&] { return read.ended() && write.ended(); });
  EXPECT_EQ(write.result, 5);
  EXPECT_EQ(std::string(data, static_cast<std::size_t>(read.result)), "hello");
}

TEST_P(reactor_request, connect_refused) {
  sockaddr_in address;
  const unique_fd holder = bound(address);  // holds the port, and does not listen
  attached client(*io, tcp_socket());
  request connect(kind::connect, client, &address, sizeof address);
  io->submit(connect);
  until([&] { return connect.ended(); });
  EXPECT_EQ(connect.result, -ECONNREFUSED);
  EXPECT_EQ(connect.ends, 1);
}

TEST_P(reactor_request, one_event_serves_all_accepts_in_order) {
  sockaddr_in address;
  attached listener(*io, listening(address));
  std::deque<request> accepts;
  for (int i = 0; i < 5; ++i) io->submit(accepts.emplace_back(kind::accept, listener));
  std::vector<unique_fd> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    ASSERT_EQ(::connect(clients.back().get(), generic(address), sizeof address), 0);
  }
  until([&] { return accepts[2].ended(); });
  poll();
  for (std::size_t i = 0; i < 3; ++i) {
    unique_fd accepted(static_cast<int>(accepts[i].result));
    sockaddr_in from = {};
    sockaddr_in client = {};
    socklen_t size = sizeof from;
    ASSERT_EQ(::getpeername(accepted.get(), generic(from), &size), 0);
    ASSERT_EQ(::getsockname(clients[i].get(), generic(client), &size), 0);
    EXPECT_EQ(from.sin_port, client.sin_port);
  }
  EXPECT_FALSE(accepts[3].ended());
  io->cancel(accepts[3]);
  io->cancel(accepts[4]);
}

TEST_P(reactor_request, requests_of_a_direction_are_first_in_first_out) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  char data[2];
  request first(kind::read, d, &data[0], 1);
  request second(kind::read, d, &data[1], 1);
  io->submit(first);
  io->submit(second);
  put(b.get(), "1");
  until([&] { return first.ended(); });
  poll();
  EXPECT_FALSE(second.ended());
  put(b.get(), "2");
  until([&] { return second.ended(); });
  EXPECT_EQ(std::string(data, 2), "12");
}

TEST_P(reactor_request, a_write_that_has_to_wait) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  fill(d.fd);
  char byte = 'x';
  request w(kind::write, d, &byte, 1);
  io->submit(w);
  poll();
  EXPECT_FALSE(w.ended());
  drain(b.get());
  until([&] { return w.ended(); });
  EXPECT_EQ(w.result, 1);
  EXPECT_EQ(take(b.get()), "x");
}

TEST_P(reactor_request, polls_tell_the_truth) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  request readable(kind::poll_in, d);
  io->submit(readable);
  poll();
  EXPECT_FALSE(readable.ended());
  request writable(kind::poll_out, d);
  io->submit(writable);
  until([&] { return writable.ended(); });
  EXPECT_EQ(writable.result, 0);
  put(b.get(), "x");
  until([&] { return readable.ended(); });
  EXPECT_EQ(readable.result, 0);
  EXPECT_EQ(take(d.fd), "x");
  b.reset();
  request hung_up(kind::poll_in, d);
  io->submit(hung_up);
  until([&] { return hung_up.ended(); });
  EXPECT_EQ(hung_up.result, 0);
}

TEST_P(reactor_request, errors_are_results) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  char byte;
  request accept(kind::accept, d, nullptr, 0);
  io->submit(accept);
  until([&] { return accept.ended(); });
  EXPECT_EQ(accept.result, -EINVAL);
  d.owned.reset();  // closed behind our back: a try says so
  request read(kind::read, d, &byte, 1);
  io->submit(read);
  until([&] { return read.ended(); });
  EXPECT_EQ(read.result, -EBADF);
}

TEST_P(reactor_request, cancel_at_every_stage) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  char byte = 0;
  request q(kind::read, d, &byte, 1);
  io->cancel(q);  // not begun: nothing to end
  EXPECT_EQ(q.ends, 0);
  io->submit(q);
  poll();
  EXPECT_EQ(q.ends, 0);
  io->cancel(q);
  until([&] { return q.ended(); });
  EXPECT_EQ(q.result, -ECANCELED);
  io->cancel(q);  // ended: never twice
  put(b.get(), "x");
  poll();
  EXPECT_EQ(q.ends, 1);

  request late(kind::read, d, &byte, 1);  // the byte that the cancelled one did not take
  io->submit(late);
  until([&] { return late.ended(); });
  io->cancel(late);
  poll();
  EXPECT_EQ(late.ends, 1);
  EXPECT_EQ(late.result, 1);
  EXPECT_EQ(byte, 'x');
}

TEST_P(reactor_request, cancel_one_of_many) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  char data[3] = {};
  request q[3] = {
      {kind::read, d, &data[0], 1}, {kind::read, d, &data[1], 1}, {kind::read, d, &data[2], 1}};
  for (request& each : q) io->submit(each);
  io->cancel(q[1]);
  put(b.get(), "ab");
  until([&] { return q[0].ended() && q[1].ended() && q[2].ended(); });
  EXPECT_EQ(q[1].result, -ECANCELED);
  EXPECT_EQ(data[0], 'a');
  EXPECT_EQ(data[2], 'b');
}

// Requests and a waiter on both ends of many sockets, with lengths at random: every byte arrives
// once and in order.
TEST_P(reactor_request, every_byte_arrives) {
  constexpr std::size_t streams = 20;
  constexpr std::size_t length = 300'000;
  struct flow {
    flow(weft::core::reactor& r, fd_pair ends)
        : from(r, std::move(ends.first)), to(r, std::move(ends.second)) {}
    attached from;
    attached to;
    std::size_t sent = 0;
    std::size_t received = 0;
    std::vector<unsigned char> outgoing;
    std::vector<unsigned char> incoming = std::vector<unsigned char>(70'000);
    request write{kind::write, from};
    request read{kind::read, to};
  };
  const auto byte_at = [](std::size_t i) { return static_cast<unsigned char>(i * 31 + i / 251); };
  std::mt19937 random(4);
  std::deque<flow> flows;
  for (std::size_t i = 0; i < streams; ++i)
    flows.emplace_back(*io, i % 2 ? tcp_pair() : local_pair());

  const auto send = [&](flow& f) {
    f.outgoing.resize(std::min<std::size_t>(1 + random() % 100'000, length - f.sent));
    for (std::size_t i = 0; i < f.outgoing.size(); ++i) f.outgoing[i] = byte_at(f.sent + i);
    f.write.data = f.outgoing.data();
    f.write.size = f.outgoing.size();
    f.write.ends = 0;
    io->submit(f.write);
  };
  const auto receive = [&](flow& f) {
    f.read.data = f.incoming.data();
    f.read.size = 1 + random() % f.incoming.size();
    f.read.ends = 0;
    io->submit(f.read);
  };
  for (flow& f : flows) {
    send(f);
    receive(f);
  }
  const auto all = [&] {
    return std::all_of(flows.begin(), flows.end(), [](flow& f) { return f.received == length; });
  };
  while (!all()) {
    bool moved = false;
    for (flow& f : flows) {
      if (f.write.ended() && f.sent < length) {
        ASSERT_GT(f.write.result, 0);
        f.sent += static_cast<std::size_t>(f.write.result);
        if (f.sent < length) send(f);
        moved = true;
      }
      if (f.read.ended() && f.received < length) {
        ASSERT_GT(f.read.result, 0);
        for (std::int64_t i = 0; i < f.read.result; ++i)
          ASSERT_EQ(f.incoming[static_cast<std::size_t>(i)], byte_at(f.received++));
        if (f.received < length) receive(f);
        moved = true;
      }
    }
    io->wait(moved ? 0 : forever);
  }
}

INSTANTIATE_TEST_SUITE_P(backends, reactor_request, backends(), backend_name);

}  // namespace
