// SPDX-License-Identifier: MIT
// echo_client port [clients [messages]]: many connections in one scope, reads with a time limit.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> client(std::uint16_t port, int id, int messages) {
  auto stream = (co_await weft::timeout(weft::tcp_stream::connect("127.0.0.1", port), 1min)).value();
  for (int i = 0; i < messages; ++i) {
    const std::string sent = "client " + std::to_string(id) + " message " + std::to_string(i);
    (co_await stream.write_all(sent)).value();
    std::string got(sent.size(), 0);
    std::span<char> rest(got);
    while (!rest.empty()) {
      const auto n = (co_await weft::timeout(stream.read_some(rest), 1min)).value();
      if (n == 0) throw std::runtime_error("the server has closed the connection");
      rest = rest.subspan(n);
    }
    if (got != sent) throw std::runtime_error("got something else: " + got);
  }
}

weft::task<> all_clients(std::uint16_t port, int clients, int messages) {
  for (int id = 1; id <= clients; ++id) weft::spawn(client, port, id, messages).detach();
  co_return;
}

int main(int argc, char** argv) {
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  const int clients = argc > 2 ? std::atoi(argv[2]) : 10;
  const int messages = argc > 3 ? std::atoi(argv[3]) : 10;
  try {
    weft::runtime().block_on(all_clients(port, clients, messages));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "echo_client: %s\n", e.what());
    return 1;
  }
  std::printf("%d clients, %d messages each: all came back\n", clients, messages);
}
