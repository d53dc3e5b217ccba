// SPDX-License-Identifier: MIT
// asio's server with coroutines, on one thread: asio_echo port
#include <array>
#include <asio.hpp>
#include <cstdlib>

namespace {

using asio::ip::tcp;

asio::awaitable<void> serve(tcp::socket stream) {
  std::array<char, 1280> bytes;
  try {
    for (;;) {
      const std::size_t n = co_await stream.async_read_some(asio::buffer(bytes), asio::use_awaitable);
      co_await asio::async_write(stream, asio::buffer(bytes, n), asio::use_awaitable);
    }
  } catch (const std::system_error&) {
  }
}

asio::awaitable<void> run(asio::io_context& io, unsigned short port) {
  tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), port});
  for (;;) {
    tcp::socket stream = co_await listener.async_accept(asio::use_awaitable);
    stream.set_option(tcp::no_delay(true));
    asio::co_spawn(io, serve(std::move(stream)), asio::detached);
  }
}

}  // namespace

int main(int, char** argv) {
  asio::io_context io(1);
  asio::co_spawn(io, run(io, static_cast<unsigned short>(std::atoi(argv[1]))), asio::detached);
  io.run();
}
