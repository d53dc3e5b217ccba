// SPDX-License-Identifier: MIT
// The server from C++: weft_cpp_echo port
#include <array>
#include <cstdlib>
#include <span>
#include <weft/weft.hpp>

namespace {

weft::task<> serve(weft::tcp_stream stream) {
  std::array<std::byte, 1280> bytes;
  for (;;) {
    const auto n = co_await stream.read_some(bytes);
    if (!n || *n == 0) co_return;
    std::span<const std::byte> rest = std::span(bytes).first(*n);
    while (!rest.empty()) {
      const auto sent = co_await stream.write_some(rest);
      if (!sent) co_return;
      rest = rest.subspan(*sent);
    }
  }
}

weft::task<> run(std::uint16_t port) {
  const auto listener = (co_await weft::tcp_listener::bind("127.0.0.1", port)).value();
  for (;;) weft::spawn(serve, (co_await listener.accept()).value()).detach();
}

}  // namespace

int main(int, char** argv) {
  weft::runtime().block_on(run(static_cast<std::uint16_t>(std::atoi(argv[1]))));
}
