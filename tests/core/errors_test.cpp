// SPDX-License-Identifier: MIT
#include "core/errors.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using weft::core::describe;

TEST(errors, have_a_code_and_a_message) {
  EXPECT_STREQ(describe(ECONNREFUSED).code, "ECONNREFUSED");
  EXPECT_STREQ(describe(-ECONNREFUSED).code, "ECONNREFUSED");
  EXPECT_STREQ(describe(-ECONNREFUSED).message, "connection refused");
  EXPECT_STREQ(describe(-weft::core::error_name_unknown).code, "ENOTFOUND");
}

TEST(errors, that_are_not_listed_have_the_system_s_symbol) {
  EXPECT_STREQ(describe(EXDEV).code, "EXDEV");
  EXPECT_STREQ(describe(987654).code, "EUNKNOWN");
}
