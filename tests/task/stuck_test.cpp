// SPDX-License-Identifier: MIT
// Tasks that keep their workers in user code: whatever else is ready runs on the worker that is
// left.
#include <chrono>
#include <thread>
#include <vector>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;

class Stuck : public RuntimeTest {
 protected:
  /// So many tasks: for each bit of `order` one that blocks, as long as a worker stays free, or one
  /// that does not. They end when all those have run.
  task<> mixed(int tasks, unsigned order) {
    left_ = tasks;
    std::vector<weft::join_handle<void>> all;
    unsigned free = GetParam();
    for (int i = 0; i < tasks; ++i) {
      const bool block = (order >> i & 1) != 0 && free > 1;
      if (block) --free;
      all.push_back(weft::spawn(block ? blocks : counts, this));
    }
    left_ -= static_cast<int>(GetParam() - free);
    co_await join(&all);
  }
  task<> in_every_order() {
    for (int tasks = 1; tasks <= 5; ++tasks)
      for (unsigned order = 0; order < 1U << tasks; ++order) {
        co_await mixed(tasks, order);
        co_await settle();  // the other workers sleep
        co_await mixed(tasks, order);
      }
  }

  /// A task is ready here, and every worker is kept but `free`, which sleeps and must wake.
  task<> all_but(unsigned free) {
    const unsigned here = weft::core::worker::current()->index();
    if (free == here) co_return;
    left_ = 1;
    std::vector<weft::join_handle<void>> all;
    all.push_back(weft::spawn(counts, this));
    for (unsigned i = 0; i < GetParam(); ++i) {
      if (i == here || i == free) continue;
      all.push_back(weft::spawn_on(rt.worker(i), blocks, this));
    }
    while (left_ > 0) std::this_thread::sleep_for(100us);
    co_await join(&all);
  }
  task<> whoever_is_left() {
    for (int i = 0; i < 5; ++i)
      for (unsigned free = 0; free < GetParam(); ++free) {
        co_await settle();
        co_await all_but(free);
      }
  }

 private:
  static task<> blocks(Stuck* t) {
    while (t->left_ > 0) std::this_thread::sleep_for(100us);
    co_return;
  }
  static task<> counts(Stuck* t) {
    --t->left_;
    co_return;
  }
  weft::core::atomic<int> left_{0};  // tasks that have not run
};
INSTANTIATE_TEST_SUITE_P(Workers, Stuck, ::testing::Values(2U, 3U, 4U));

TEST_P(Stuck, WhatElseIsReadyRuns) { run(in_every_order()); }
TEST_P(Stuck, WhoeverIsLeftRunsIt) { run(whoever_is_left()); }

}  // namespace
