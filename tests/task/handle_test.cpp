// SPDX-License-Identifier: MIT
// runtime_handle::current(): what runs on a runtime's workers finds it, nobody else.
#include "task/support.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using weft::runtime_handle;
using weft::task;

class Handle : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Handle, ::testing::Values(1U, 2U, 4U));

task<int> square(int n) {
  co_await weft::yield();
  co_return n* n;
}

/// How many workers the runtime of the caller has.
unsigned workers_here() {
  const runtime_handle here = runtime_handle::current();
  unsigned n = 0;
  try {
    for (;; ++n) static_cast<void>(here.worker(n));
  } catch (const std::out_of_range&) {
    return n;
  }
}
task<unsigned> counts_workers() {
  co_await weft::yield();
  co_return workers_here();
}

task<int> spawns_through_it() {
  auto h = runtime_handle::current().spawn(square, 6);
  co_return co_await h;
}
TEST_P(Handle, ATaskFindsItsRuntime) {
  EXPECT_EQ(run(spawns_through_it()), 36);
  EXPECT_EQ(run(counts_workers()), rt.workers());
  EXPECT_EQ(run(weft::scope(counts_workers)), rt.workers());
}

task<unsigned> counts_abroad(weft::runtime* other) {
  auto h = weft::spawn_on(other->handle(), counts_workers);
  co_return co_await h;
}
TEST_P(Handle, ATaskOfAnotherRuntimeFindsThatOne) {
  weft::runtime_options o;
  o.workers = 3;
  weft::runtime other(o);
  EXPECT_EQ(run(counts_abroad(&other)), 3U);
}

// A library that calls back on a thread of its own.
void call_back(const std::function<void()>& f) { std::thread(f).join(); }

task<> sends(weft::sender<unsigned> tx) { co_await tx.send(workers_here()); }
task<unsigned> is_called_back() {
  auto [tx, rx] = weft::channel<unsigned>(1);
  const auto callback = [here = runtime_handle::current(), tx = tx] {
    here.spawn(sends, tx).detach();
  };
  call_back(callback);
  co_return *co_await rx.recv();
}
TEST_P(Handle, ATaskGivesItToAThread) { EXPECT_EQ(run(is_called_back()), rt.workers()); }

task<runtime_handle> gives_it_away() {
  co_await weft::yield();
  co_return runtime_handle::current();
}
TEST(HandleOfAnEndedRuntime, RefusesToSpawn) {
  auto rt = std::make_unique<weft::runtime>();
  const runtime_handle kept = rt->block_on(gives_it_away());
  rt.reset();
  EXPECT_THROW(static_cast<void>(kept.spawn(square, 1)), std::logic_error);
}

std::string refusal() {
  try {
    static_cast<void>(runtime_handle::current());
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "none";
}
task<std::string> asks_on_a_thread() {
  std::string said;
  const auto ask = [&said] { said = refusal(); };
  call_back(ask);
  co_return said;
}
TEST_P(Handle, NobodyElseFindsOne) {
  const std::string said = "weft: runtime_handle::current outside a runtime's tasks";
  EXPECT_EQ(refusal(), said);
  EXPECT_EQ(run(asks_on_a_thread()), said);
  EXPECT_EQ(refusal(), said);
}

}  // namespace
