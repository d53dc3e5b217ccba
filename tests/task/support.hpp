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

/// Long enough for whatever is ready to have run.
inline weft::task<> settle() {
  for (int i = 0; i < 3; ++i) co_await weft::sleep(std::chrono::milliseconds(1));
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
