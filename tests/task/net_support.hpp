// SPDX-License-Identifier: MIT
// What the tests of sockets share: a runtime on each backend with 1, 2 and 4 workers, connections.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <tuple>

#include "backends.hpp"
#include "support.hpp"
#include "weft/weft.hpp"

inline std::span<const std::byte> bytes(const std::string& s) {
  return std::as_bytes(std::span(s));
}
inline std::span<std::byte> room(std::string& s) { return std::as_writable_bytes(std::span(s)); }

inline long open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
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
  T run(weft::task<T> t) {
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

inline std::string name_of(const ::testing::TestParamInfo<std::tuple<const char*, unsigned>>& i) {
  return std::string(std::get<0>(i.param)) + "_" + std::to_string(std::get<1>(i.param));
}
/// A port that is taken, so that nobody listens there.
class taken_port {
 public:
  taken_port() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* const any = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(fd_, any, size), 0);
    EXPECT_EQ(::getsockname(fd_, any, &size), 0);
  }
  taken_port(const taken_port&) = delete;
  taken_port& operator=(const taken_port&) = delete;
  ~taken_port() { ::close(fd_); }
  std::uint16_t number() const { return ntohs(address_.sin_port); }

 private:
  const int fd_;
  sockaddr_in address_ = {};
};

inline weft::task<weft::tcp_listener> listen() {
  co_return (co_await weft::tcp_listener::bind("127.0.0.1", 0)).value();
}
inline weft::task<weft::tcp_stream> connect_to(const weft::tcp_listener& l) {
  co_return (co_await weft::tcp_stream::connect("127.0.0.1", l.address()->port())).value();
}

struct connection {
  weft::tcp_stream client;
  weft::tcp_stream server;
  connection(weft::tcp_stream c, weft::tcp_stream s) : client(std::move(c)), server(std::move(s)) {}
};
inline weft::task<connection> connect_pair() {
  const weft::tcp_listener l = co_await listen();
  weft::tcp_stream client = co_await connect_to(l);
  co_return connection(std::move(client), (co_await l.accept()).value());
}

/// Sends back what comes, until the peer ends or an error.
inline weft::task<> echo(weft::tcp_stream s) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await s.read_some(buffer);
    if (!n || *n == 0) co_return;
    if (!co_await s.write_all(std::span(buffer).first(*n))) co_return;
  }
}
/// Echoes on so many connections, each in a task of its own.
inline weft::task<> serve(const weft::tcp_listener* l, int connections) {
  for (int i = 0; i < connections; ++i) weft::spawn(echo, (co_await l->accept()).value()).detach();
}
