// SPDX-License-Identifier: MIT
#include "io/address.hpp"

#include <gtest/gtest.h>

#include <string>

namespace io = weft::io;

namespace {

std::string round_trip(const char* text) {
  io::address a;
  if (!io::parse_address(text, 80, a)) return "a name";
  EXPECT_EQ(a.port(), 80);
  return io::to_text(a).text;
}

}  // namespace

TEST(address, reads_and_writes_numbers) {
  EXPECT_EQ(round_trip("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(round_trip("::1"), "::1");
  EXPECT_EQ(round_trip("2001:DB8:0:0::1"), "2001:db8::1");
  EXPECT_EQ(round_trip("fe80::1%lo"), "fe80::1%lo");
  EXPECT_EQ(round_trip("fe80::1%1"), "fe80::1%lo");
}

TEST(address, of_ipv4_through_ipv6_reads_as_ipv4) {
  EXPECT_EQ(round_trip("::ffff:192.0.2.7"), "192.0.2.7");
}

TEST(address, knows_what_is_a_name) {
  for (const char* name :
       {"localhost", "", "1.2.3", "1.2.3.4.5", "127.0.0.1 ", "::1%", "::1%no-such-interface",
        "[::1]", "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444:5555:6666:7777"})
    EXPECT_EQ(round_trip(name), "a name") << name;
}
