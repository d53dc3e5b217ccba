// SPDX-License-Identifier: MIT
// endpoint: what a socket is bound or connected to, or sends to: an IP address with its port, or a
// path. A path that begins with a zero byte is a name without a file (Linux).
#pragma once

#include <sys/un.h>

#include <cstddef>
#include <cstdint>

#include "io/address.hpp"
#include "weft/config.hpp"

namespace weft::inline v0::io {

struct endpoint {
  union {
    sockaddr any;
    sockaddr_un un;
  };
  socklen_t size = 0;

  endpoint() noexcept : un() {}
  bool is_path() const noexcept { return any.sa_family == AF_UNIX; }
};

/// Of that family; an IPv4 address for an IPv6 socket becomes the mapped one, and "*" is every
/// address. False: no such address.
WEFT_API bool parse_endpoint(int family, const char* host, std::uint16_t port,
                             endpoint& to) noexcept;
/// False: the path is too long.
WEFT_API bool path_endpoint(const char* path, std::size_t length, endpoint& to) noexcept;

WEFT_API address ip_of(const endpoint& e) noexcept;
/// The path in it; null and 0 for a socket without a name.
WEFT_API const char* path_of(const endpoint& e, std::size_t& length) noexcept;

/// Of a socket: 0 or -errno.
WEFT_API int local_endpoint(int fd, endpoint& to) noexcept;
WEFT_API int peer_endpoint(int fd, endpoint& to) noexcept;

}  // namespace weft::inline v0::io
