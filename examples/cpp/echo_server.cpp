// SPDX-License-Identifier: MIT
// echo_server [port]: gives back what it gets, one task a connection. Port 0, the default, is a
// free one.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <weft/weft.hpp>

weft::task<> echo(weft::tcp_stream stream) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await stream.read_some(buffer);
    if (!n || *n == 0) co_return;  // an error, or the end
    if (!co_await stream.write_all(std::span(buffer).first(*n))) co_return;
  }
}  // the stream closes itself

weft::task<> serve(const weft::tcp_listener& listener) {
  for (;;) {
    auto stream = co_await listener.accept();
    weft::spawn(echo, std::move(stream).value()).detach();
  }
}

weft::task<> run(std::uint16_t port) {
  const auto listener = (co_await weft::tcp_listener::bind("127.0.0.1", port)).value();
  std::printf("listening on port %d\n", listener.address()->port());
  std::fflush(stdout);
  co_await serve(listener);
}

int main(int argc, char** argv) {
  weft::runtime rt;
  rt.block_on(run(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0)));
}
