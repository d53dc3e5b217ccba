// SPDX-License-Identifier: MIT
// What the tests of C++ tasks share: a runtime with the number of workers that is the parameter.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "weft/weft.hpp"

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
