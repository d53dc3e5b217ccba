// SPDX-License-Identifier: MIT
// Tasks, channels and fork-join from C++. argument 1: workers; 2: a section (all if left out).
#include <unistd.h>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "weft/weft.hpp"

namespace {

using weft::task;

double now() { return static_cast<double>(weft::core::clock_now()); }
std::string suffix;
void out(const char* name, double value, const char* unit) {
  std::printf("RESULT %s%s %.3f %s\n", name, suffix.c_str(), value, unit);
}

task<> yielder(int n) {
  for (int i = 0; i < n; ++i) co_await weft::yield();
}
task<> yields(int k) {
  const int n = 2'000'000;
  const double t = now();
  std::vector<weft::join_handle<void>> hs;
  for (int i = 0; i < k; ++i) hs.push_back(weft::spawn(yielder, n / k));
  for (auto& h : hs) co_await std::move(h);
  out(k == 2 ? "yield_2" : "yield_1000", (now() - t) / n, "ns");
}

task<unsigned> one() { co_return 1; }
task<> spawn_join() {
  const double t = now();
  for (int i = 0; i < 1000; ++i) {
    std::vector<weft::join_handle<unsigned>> hs;
    hs.reserve(1000);
    for (int k = 0; k < 1000; ++k) hs.push_back(weft::spawn(one));
    for (auto& h : hs) co_await std::move(h);
  }
  out("spawn_join", (now() - t) / 1e6, "ns");
}
task<> spawn_join_each() {
  const int n = 500'000;
  const double t = now();
  for (int i = 0; i < n; ++i) co_await weft::spawn(one);
  out("spawn_join_each", (now() - t) / n, "ns");
}

task<> echo(weft::receiver<long> rx, weft::sender<long> tx, int n) {
  for (int i = 0; i < n; ++i) static_cast<void>(co_await tx.send(*co_await rx.recv()));
}
task<> chan_msg(int n, std::size_t capacity, const char* name) {
  auto [a, ra] = weft::channel<long>(capacity);
  auto [b, rb] = weft::channel<long>(capacity);
  auto h = weft::spawn(echo, ra, b, n);
  const double t = now();
  for (long i = 0; i < n; ++i) {
    static_cast<void>(co_await a.send(i));
    if (*co_await rb.recv() != i) std::abort();
  }
  co_await h;
  out(name, (now() - t) / (2.0 * n), "ns");
}

task<long> fib(long n) {
  if (n < 2) co_return n;
  auto a = weft::spawn(fib, n - 1);
  const long b = co_await fib(n - 2);
  co_return co_await std::move(a) + b;
}
task<> fibs(long n, long expected, const char* name) {
  const double t = now();
  if (co_await weft::spawn(fib, n) != expected) std::abort();
  out(name, (now() - t) * 1e-6, "ms");
}

task<long> skynet(long base, long size) {
  if (size == 1) co_return base;
  std::vector<weft::join_handle<long>> hs;
  hs.reserve(10);
  for (long i = 0; i < 10; ++i)
    hs.push_back(weft::spawn(skynet, base + i * (size / 10), size / 10));
  long sum = 0;
  for (auto& h : hs) sum += co_await std::move(h);
  co_return sum;
}
task<> skynets() {
  const double t = now();
  if (co_await weft::spawn(skynet, 0, 1'000'000) != 499'999'500'000) std::abort();
  out("skynet", (now() - t) * 1e-6, "ms");
}

task<> parks(weft::event e) { co_await e.wait(); }
long resident() {
  long pages = 0, rss = 0;
  if (FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &pages, &rss) != 2) rss = 0;
    std::fclose(f);
  }
  return rss * ::sysconf(_SC_PAGESIZE);
}
task<> parked() {
  weft::event e;
  const long before = resident();
  for (int i = 0; i < 100'000; ++i) weft::spawn(parks, e).detach();
  co_await weft::yield();
  co_await weft::sleep(std::chrono::milliseconds(50));
  out("parked_bytes_rss", static_cast<double>(resident() - before) / 1e5, "B");
  e.set();
}

// What nobody else wants, beside the least that two threads need for it.
task<> locks() {
  const int n = 5'000'000;
  std::atomic<int> word{0};
  double t = now();
  for (int i = 0; i < n; ++i) {
    word.exchange(1, std::memory_order_acquire);
    word.exchange(0, std::memory_order_release);
  }
  out("atomic_pair", (now() - t) / n, "ns");
  weft::mutex m;
  t = now();
  for (int i = 0; i < n; ++i) const auto held = co_await m.lock();
  out("mutex_free", (now() - t) / n, "ns");
  weft::semaphore s(4);
  t = now();
  for (int i = 0; i < n; ++i) const auto held = co_await s.acquire();
  out("semaphore_free", (now() - t) / n, "ns");
}

// A hand-over between two cores by spinning, and a message between tasks that may not come
// together.
void spins() {
  const int n = 1'000'000;
  alignas(64) std::atomic<int> ball{0};
  std::thread other([&ball] {
    for (int i = 0; i < n; ++i) {
      while (ball.load(std::memory_order_acquire) != 2 * i + 1) weft::core::pause_cpu();
      ball.store(2 * i + 2, std::memory_order_release);
    }
  });
  const double t = now();
  for (int i = 0; i < n; ++i) {
    ball.store(2 * i + 1, std::memory_order_release);
    while (ball.load(std::memory_order_acquire) != 2 * i + 2) weft::core::pause_cpu();
  }
  other.join();
  out("spin", (now() - t) / (2.0 * n), "ns");
}
task<> pings(weft::sender<long> tx, weft::receiver<long> rx, int n) {
  for (int i = 0; i < n; ++i) {
    static_cast<void>(co_await tx.send(i));
    if (*co_await rx.recv() != i) std::abort();
  }
}
task<> apart(weft::runtime* rt) {
  const int n = 200'000;
  auto [a, ra] = weft::channel<long>();
  auto [b, rb] = weft::channel<long>();
  const double t = now();
  auto one = weft::spawn_on(rt->worker(0), pings, a, rb, n);
  auto two = weft::spawn_on(rt->worker(1), echo, ra, b, n);
  co_await one;
  co_await two;
  out("apart", (now() - t) / (2.0 * n), "ns");
}

bool wants(int argc, char** argv, const char* section) {
  return argc < 3 || std::strcmp(argv[2], section) == 0;
}

task<> all(weft::runtime* rt, int argc, char** argv) {
  if (wants(argc, argv, "yield")) {
    co_await yields(2);
    co_await yields(1000);
  }
  if (wants(argc, argv, "spawn_join")) co_await spawn_join();
  if (wants(argc, argv, "spawn_join_each")) co_await spawn_join_each();
  if (wants(argc, argv, "chan_msg")) {
    co_await chan_msg(500'000, 0, "chan_msg");
    co_await chan_msg(500'000, 1, "chan_msg_1");
  }
  if (wants(argc, argv, "fib")) {
    co_await fibs(25, 75'025, "fib25");
    co_await fibs(30, 832'040, "fib30");
  }
  if (wants(argc, argv, "skynet")) co_await skynets();
  if (wants(argc, argv, "locks")) co_await locks();
  if (rt->workers() > 1 && wants(argc, argv, "apart")) {
    spins();
    co_await apart(rt);
  }
  if (wants(argc, argv, "parked")) co_await parked();
}

}  // namespace

int main(int argc, char** argv) {
  weft::runtime_options options;
  options.workers = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1;
  suffix = "_" + std::to_string(options.workers) + "t";
  weft::runtime rt(options);
  rt.block_on(all(&rt, argc, argv));
}
