// SPDX-License-Identifier: MIT
// What spawning and joining allocates: the frame, which comes from its worker's free lists or
// malloc, and nothing else.
#include "task/support.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include "sanitizers.hpp"

// Sanitizers have an operator new of their own.
#if !WEFT_TEST_ASAN && !WEFT_TEST_TSAN

namespace {
std::atomic<long> allocations{0};
}

// Of the whole binary.
void* operator new(std::size_t n) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

using weft::task;

task<int> adds(int a, int b) {
  co_await weft::yield();
  co_return a + b;
}
task<long> spawns_and_joins(int n) {
  long sum = 0;
  for (int i = 0; i < n; ++i) {
    auto h = weft::spawn(adds, i, 1);
    sum += co_await std::move(h);
  }
  co_return sum;
}
task<long> counts() {
  co_await spawns_and_joins(100);
  const long before = allocations;
  co_await spawns_and_joins(1000);
  co_return allocations - before;
}
TEST(Allocations, NoneButTheFrame) {
  weft::runtime rt;
  const long seen = allocations;
  ::operator delete(::operator new(1));
  EXPECT_GT(allocations, seen) << "they are counted";
  EXPECT_EQ(rt.block_on(counts()), 0);
}

}  // namespace

#endif
