// SPDX-License-Identifier: MIT
// What weft_micro measures that asio's coroutines have too, on one thread (asio's are tied to one executor).
#include <asio.hpp>
#include <asio/experimental/channel.hpp>
#include <chrono>
#include <cstdio>

namespace {

using asio::awaitable, asio::use_awaitable;
using channel = asio::experimental::channel<void(asio::error_code, long)>;

double now() {
  return static_cast<double>(std::chrono::steady_clock::now().time_since_epoch().count());
}
void out(const char* name, double value) { std::printf("RESULT %s_1t %.3f ns\n", name, value); }

awaitable<void> yielder(int n) {
  for (int i = 0; i < n; ++i) co_await asio::post(use_awaitable);
}
void yields(int k) {
  const int n = 1'000'000;
  asio::io_context io(1);
  for (int i = 0; i < k; ++i) asio::co_spawn(io, yielder(n / k), asio::detached);
  const double t = now();
  io.run();
  out(k == 2 ? "yield_2" : "yield_1000", (now() - t) / n);
}

awaitable<unsigned> one() { co_return 1; }
awaitable<void> spawn_join_each(int n) {
  const auto here = co_await asio::this_coro::executor;
  for (int i = 0; i < n; ++i) co_await asio::co_spawn(here, one(), use_awaitable);
}
awaitable<void> echo(channel& from, channel& to, int n) {
  for (int i = 0; i < n; ++i) {
    const long v = co_await from.async_receive(use_awaitable);
    co_await to.async_send(asio::error_code(), v, use_awaitable);
  }
}
awaitable<void> pings(channel& to, channel& from, int n) {
  for (int i = 0; i < n; ++i) {
    co_await to.async_send(asio::error_code(), i, use_awaitable);
    co_await from.async_receive(use_awaitable);
  }
}

}  // namespace

int main() {
  yields(2);
  yields(1000);
  {
    const int n = 300'000;
    asio::io_context io(1);
    asio::co_spawn(io, spawn_join_each(n), asio::detached);
    const double t = now();
    io.run();
    out("spawn_join_each", (now() - t) / n);
  }
  {
    const int n = 300'000;
    asio::io_context io(1);
    channel a(io, 0), b(io, 0);
    asio::co_spawn(io, echo(a, b, n), asio::detached);
    asio::co_spawn(io, pings(a, b, n), asio::detached);
    const double t = now();
    io.run();
    out("chan_msg", (now() - t) / (2.0 * n));
  }
}
