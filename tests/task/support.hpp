// SPDX-License-Identifier: MIT
// What the tests of C++ tasks share; among it a runtime with the number of workers that is the
// parameter.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "weft/weft.hpp"

/// A hundredth of a count under a sanitizer (WEFT_TEST_SCALE), at least one.
inline int scaled(int n) {
  const char* s = std::getenv("WEFT_TEST_SCALE");
  const double scale = s ? std::atof(s) : 1.0;
  return std::max(1, static_cast<int>(n * scale));
}

/// The runtime of the test that runs.
inline weft::runtime* under_test = nullptr;

inline weft::task<> nap() { co_await weft::sleep(std::chrono::milliseconds(1)); }
/// Until whatever is ready has run, what that wakes, and what that wakes in turn: a worker wakes
/// who naps on it only when it has run all that it had, however slow its thread is.
inline weft::task<> settle(weft::runtime* rt = under_test) {
  for (int i = 0; i < 3; ++i) {
    std::vector<weft::join_handle<void>> naps;
    for (unsigned w = 0; w < rt->workers(); ++w) naps.push_back(weft::spawn_on(rt->worker(w), nap));
    for (auto& n : naps) co_await n;
  }
}

/// Joins all of them.
template <class T>
weft::task<> join(std::vector<weft::join_handle<T>>* handles) {
  for (auto& h : *handles) co_await h;
}

/// Whether the task that is joined ended by its cancellation.
template <class T>
weft::task<bool> ends_cancelled(weft::join_handle<T>* h) {
  try {
    static_cast<void>(co_await *h);
  } catch (const weft::cancelled&) {
    co_return true;
  }
  co_return false;
}

class RuntimeTest : public ::testing::TestWithParam<unsigned> {
 protected:
  RuntimeTest() { under_test = &rt; }
  ~RuntimeTest() override { under_test = nullptr; }
  static weft::runtime_options options() {
    weft::runtime_options o;
    o.workers = GetParam();
    return o;
  }
  template <class T>
  T run(weft::task<T> t) {
    return rt.block_on(std::move(t));
  }

  weft::runtime rt{options()};
};
