// SPDX-License-Identifier: MIT
// result<T>: a value or why there is none, what stands in for it, and when two are equal.
#include "weft/result.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <memory>
#include <string>
#include <utility>

namespace {

using weft::errc;
using weft::result;

result<int> closed() { return make_error_code(errc::closed); }

TEST(Result, ValueOrStandsInForAnError) {
  EXPECT_EQ(result<int>(7).value_or(3), 7);
  EXPECT_EQ(closed().value_or(3), 3);
  const result<std::string> named("weft");
  EXPECT_EQ(named.value_or("none"), "weft");
  EXPECT_EQ(*named, "weft");  // still there
  const result<std::string> unnamed(make_error_code(errc::timeout));
  EXPECT_EQ(unnamed.value_or("none"), "none");
}

TEST(Result, ValueOrMovesOutOfAnRvalue) {
  result<std::unique_ptr<int>> owner(std::make_unique<int>(5));
  const std::unique_ptr<int> taken = std::move(owner).value_or(nullptr);
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, 5);
  EXPECT_FALSE(*owner);
  result<std::unique_ptr<int>> none(make_error_code(errc::closed));
  EXPECT_FALSE(std::move(none).value_or(nullptr));
}

TEST(Result, EqualValuesOrEqualErrors) {
  EXPECT_EQ(result<int>(7), result<int>(7));
  EXPECT_NE(result<int>(7), result<int>(8));
  EXPECT_EQ(closed(), closed());
  EXPECT_NE(closed(), result<int>(make_error_code(errc::timeout)));
  EXPECT_NE(closed(), result<int>(0));
  EXPECT_NE(closed(), result<int>(static_cast<int>(errc::closed)));
}

TEST(Result, ComparesWithAValueAndWithAnError) {
  EXPECT_TRUE(result<int>(7) == 7);
  EXPECT_TRUE(8 != result<int>(7));
  EXPECT_FALSE(closed() == 7);
  EXPECT_TRUE(closed() == make_error_code(errc::closed));
  EXPECT_FALSE(result<int>(7) == std::error_code());
}

TEST(Result, OfNothing) {
  EXPECT_EQ(result<void>(), result<void>());
  EXPECT_NE(result<void>(), result<void>(make_error_code(errc::closed)));
  EXPECT_TRUE(result<void>(make_error_code(errc::closed)) == make_error_code(errc::closed));
}

struct no_comparison {};
static_assert(std::equality_comparable<result<int>>);
static_assert(!std::equality_comparable<result<no_comparison>>);

}  // namespace
