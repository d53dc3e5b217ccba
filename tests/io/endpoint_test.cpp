// SPDX-License-Identifier: MIT
#include "io/endpoint.hpp"

#include <gtest/gtest.h>

#include <string>

namespace io = weft::io;

namespace {

std::string ip_text(int family, const char* host) {
  io::endpoint e;
  if (!io::parse_endpoint(family, host, 80, e)) return "none";
  EXPECT_EQ(e.any.sa_family, family);
  EXPECT_EQ(io::ip_of(e).port(), 80);
  return io::to_text(io::ip_of(e)).text;
}

std::string path_text(const std::string& path) {
  io::endpoint e;
  if (!io::path_endpoint(path.data(), path.size(), e)) return "too long";
  EXPECT_TRUE(e.is_path());
  std::size_t length;
  const char* text = io::path_of(e, length);
  return text ? std::string(text, length) : "none";
}

}  // namespace

TEST(endpoint, of_each_family) {
  EXPECT_EQ(ip_text(AF_INET, "127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(ip_text(AF_INET, "*"), "0.0.0.0");
  EXPECT_EQ(ip_text(AF_INET6, "::1"), "::1");
  EXPECT_EQ(ip_text(AF_INET6, "*"), "::");
}

TEST(endpoint, ipv4_of_an_ipv6_socket_is_mapped) {
  EXPECT_EQ(ip_text(AF_INET6, "192.0.2.7"), "192.0.2.7");
}

TEST(endpoint, refuses_names_and_the_other_family) {
  EXPECT_EQ(ip_text(AF_INET, "localhost"), "none");
  EXPECT_EQ(ip_text(AF_INET, "::1"), "none");
  EXPECT_EQ(ip_text(AF_INET6, ""), "none");
}

TEST(endpoint, paths) {
  EXPECT_EQ(path_text("/tmp/x"), "/tmp/x");
  EXPECT_EQ(path_text(std::string("\0name", 5)), std::string("\0name", 5));
  EXPECT_EQ(path_text(std::string(107, 'x')), std::string(107, 'x'));
  EXPECT_EQ(path_text(std::string(108, 'x')), "too long");
}
