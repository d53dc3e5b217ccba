// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <ranges>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<std::string> fetch(int page) {
  co_await weft::sleep(page * 1ms);
  co_return "page " + std::to_string(page);
}

weft::task<> run(std::vector<int> pages) {
  // A view that makes tasks; the results come in order, whichever ends first.
  const auto texts = co_await weft::all(pages | std::views::transform(fetch));
  for (const std::string& text : texts) std::puts(text.c_str());
  // --> page 3
  // --> page 1
  // --> page 2

  // A container of tasks is given away.
  std::vector<weft::task<std::string>> mirrors;
  mirrors.push_back(fetch(3'600'000));
  mirrors.push_back(fetch(1));
  const auto [index, text] = co_await weft::any(std::move(mirrors));
  std::printf("mirror %zu was first: %s\n", index, text.c_str());  // --> mirror 1 was first: page 1
}

int main() { weft::runtime().block_on(run({3, 1, 2})); }
