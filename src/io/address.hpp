// SPDX-License-Identifier: MIT
// Numeric addresses of IPv4 and IPv6, to and from text.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "weft/config.hpp"

namespace weft::inline v0::io {

struct address {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  socklen_t size = 0;

  address() noexcept : v6() {}
  int family() const noexcept { return any.sa_family; }
  std::uint16_t port() const noexcept {
    return ntohs(any.sa_family == AF_INET ? v4.sin_port : v6.sin6_port);
  }
  void set_port(std::uint16_t port) noexcept {
    (any.sa_family == AF_INET ? v4.sin_port : v6.sin6_port) = htons(port);
  }
};

/// Room for any address as text, with a scope.
struct address_text {
  char text[INET6_ADDRSTRLEN + 20];
};

/// "127.0.0.1", "::1", "fe80::1%eth0". False: it is a name.
WEFT_API bool parse_address(const char* host, std::uint16_t port, address& to) noexcept;

/// Without the port. An IPv4 address that came through an IPv6 socket reads as IPv4.
WEFT_API address_text to_text(const address& a) noexcept;

/// Of a socket: 0 or -errno.
WEFT_API int local_address(int fd, address& to) noexcept;
WEFT_API int peer_address(int fd, address& to) noexcept;

}  // namespace weft::inline v0::io
