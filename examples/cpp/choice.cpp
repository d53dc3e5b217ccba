// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> run() {
  auto [numbers_in, numbers] = weft::channel<int>(1);
  auto [words_in, words] = weft::channel<std::string>(1);

  co_await words_in.send("weft");
  // Exactly one of them happens; the others have taken nothing.
  auto which = co_await weft::choose(numbers.recv_op(), words.recv_op(), weft::sleep_op(1s));
  if (which.index() == 1)
    std::printf("a word: %s\n", std::get<1>(which)->c_str());  // --> a word: weft

  auto late = co_await weft::timeout(numbers.recv_op(), 2ms);
  std::puts(late.error() == weft::errc::timeout ? "no number came" : "?");  // --> no number came

  // Receiving and sending may stand in one choice; wrap() makes their results alike.
  auto got = weft::wrap(numbers.recv_op(), [](std::optional<int> v) { return *v; });
  auto put = weft::wrap(words_in.send_op("again"), [](auto) { return -1; });
  std::printf("%d\n", co_await weft::unite(std::move(got), std::move(put)));  // --> -1
}

int main() { weft::runtime().block_on(run()); }
