// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>
#include <string_view>
#include <weft/weft.hpp>

using namespace std::string_view_literals;

weft::task<> answer(weft::tcp_stream stream) {
  std::string question(100, 0);
  const auto n = co_await stream.read_some(question);
  if (n) (co_await stream.write_all("you said " + question.substr(0, *n))).value();
}

weft::task<> run() {
  const auto listener = (co_await weft::tcp_listener::bind("127.0.0.1", 0)).value();
  const auto port = listener.address()->port();  // the system has chosen one

  auto stream = (co_await weft::tcp_stream::connect("127.0.0.1", port)).value();
  weft::spawn(answer, (co_await listener.accept()).value()).detach();

  (co_await stream.write_all("hello"sv)).value();
  std::string got(100, 0);
  const auto n = co_await weft::read_all(stream, got);
  std::printf("%s\n", got.substr(0, n.value()).c_str());  // --> you said hello

  const auto nobody = co_await weft::tcp_stream::connect("no-such-host.invalid", 80);
  std::puts(nobody ? "?" : "no such host");  // --> no such host
}

int main() { weft::runtime().block_on(run()); }
