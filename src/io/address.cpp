// SPDX-License-Identifier: MIT
#include "io/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weft::inline v0::io {

namespace {

/// "eth0" or "2"; 0: there is no such interface.
std::uint32_t scope_of(const char* text) noexcept {
  if (const unsigned index = ::if_nametoindex(text)) return index;
  char* end = nullptr;
  const unsigned long index = std::strtoul(text, &end, 10);
  return *text && !*end && index <= UINT32_MAX ? static_cast<std::uint32_t>(index) : 0;
}

bool parse_v6(const char* host, address& to) noexcept {
  char bare[INET6_ADDRSTRLEN];
  const char* percent = std::strchr(host, '%');
  const std::size_t length = percent ? static_cast<std::size_t>(percent - host) : std::strlen(host);
  if (length >= sizeof bare) return false;
  std::memcpy(bare, host, length);
  bare[length] = 0;
  if (::inet_pton(AF_INET6, bare, &to.v6.sin6_addr) != 1) return false;
  if (percent && (to.v6.sin6_scope_id = scope_of(percent + 1)) == 0) return false;
  to.v6.sin6_family = AF_INET6;
  to.size = sizeof to.v6;
  return true;
}

}  // namespace

bool parse_address(const char* host, std::uint16_t port, address& to) noexcept {
  to = address();
  if (::inet_pton(AF_INET, host, &to.v4.sin_addr) == 1) {
    to.v4.sin_family = AF_INET;
    to.size = sizeof to.v4;
  } else {
    to = address();
    if (!parse_v6(host, to)) return false;
  }
  to.set_port(port);
  return true;
}

address_text to_text(const address& a) noexcept {
  address_text t = {};
  if (a.family() == AF_INET) {
    ::inet_ntop(AF_INET, &a.v4.sin_addr, t.text, sizeof t.text);
    return t;
  }
  if (a.family() != AF_INET6) return t;
  if (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr)) {
    ::inet_ntop(AF_INET, a.v6.sin6_addr.s6_addr + 12, t.text, sizeof t.text);
    return t;
  }
  ::inet_ntop(AF_INET6, &a.v6.sin6_addr, t.text, sizeof t.text);
  if (a.v6.sin6_scope_id == 0) return t;
  char name[IF_NAMESIZE];
  const std::size_t used = std::strlen(t.text);
  if (::if_indextoname(a.v6.sin6_scope_id, name))
    std::snprintf(t.text + used, sizeof t.text - used, "%%%s", name);
  else
    std::snprintf(t.text + used, sizeof t.text - used, "%%%u", a.v6.sin6_scope_id);
  return t;
}

int local_address(int fd, address& to) noexcept {
  to.size = sizeof to.v6;
  return ::getsockname(fd, &to.any, &to.size) == 0 ? 0 : -errno;
}

int peer_address(int fd, address& to) noexcept {
  to.size = sizeof to.v6;
  return ::getpeername(fd, &to.any, &to.size) == 0 ? 0 : -errno;
}

}  // namespace weft::inline v0::io
