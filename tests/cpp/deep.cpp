// SPDX-License-Identifier: MIT
// Long chains, as a user's -O0 build has them: awaits inside each other, awaits one after the
// other, and tasks that each join the one before.
#include <cstdio>
#include <utility>
#include <weft/weft.hpp>

namespace {

constexpr int length = 1'000'000;

weft::task<int> deep(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await deep(n - 1);
}

weft::task<int> one() { co_return 1; }
weft::task<int> in_a_row() {
  int sum = 0;
  for (int i = 0; i < length; ++i) sum += co_await one();
  co_return sum;
}

weft::task<int> after(weft::join_handle<int> before) { co_return 1 + co_await before; }
weft::task<int> handed_over() {
  auto last = weft::spawn(one);
  for (int i = 1; i < length; ++i) last = weft::spawn(after, std::move(last));
  co_return co_await last;
}

weft::task<> run() {
  std::printf("%d %d %d\n", co_await deep(length), co_await in_a_row(), co_await handed_over());
}

}  // namespace

int main() {
  weft::runtime().block_on(run());
  weft::runtime_options two;
  two.workers = 2;
  weft::runtime(two).block_on(run());
}
