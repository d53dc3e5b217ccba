// SPDX-License-Identifier: MIT
#include "io/endpoint.hpp"

#include <cerrno>
#include <cstring>

namespace weft::inline v0::io {

namespace {

constexpr socklen_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr socklen_t room = sizeof(sockaddr_un);
static_assert(sizeof(sockaddr_un) >= sizeof(sockaddr_in6));

void map_to_v6(address& a) noexcept {
  const in_addr v4 = a.v4.sin_addr;
  const std::uint16_t port = a.port();
  a = address();
  a.v6.sin6_family = AF_INET6;
  a.v6.sin6_addr.s6_addr[10] = a.v6.sin6_addr.s6_addr[11] = 0xff;
  std::memcpy(a.v6.sin6_addr.s6_addr + 12, &v4, sizeof v4);
  a.size = sizeof a.v6;
  a.set_port(port);
}

}  // namespace

bool parse_endpoint(int family, const char* host, std::uint16_t port, endpoint& to) noexcept {
  if (std::strcmp(host, "*") == 0) host = family == AF_INET ? "0.0.0.0" : "::";
  address a;
  if (!parse_address(host, port, a)) return false;
  if (family == AF_INET6 && a.family() == AF_INET) map_to_v6(a);
  if (a.family() != family) return false;
  to = endpoint();
  to.size = a.size;
  std::memcpy(&to.any, &a.any, a.size);
  return true;
}

bool path_endpoint(const char* path, std::size_t length, endpoint& to) noexcept {
  to = endpoint();
  if (length >= sizeof to.un.sun_path) return false;
  to.un.sun_family = AF_UNIX;
  std::memcpy(to.un.sun_path, path, length);
  const bool is_file = length > 0 && path[0] != 0;
  to.size = path_offset + static_cast<socklen_t>(length) + (is_file ? 1 : 0);
  return true;
}

address ip_of(const endpoint& e) noexcept {
  address a;
  a.size = e.size < sizeof a.v6 ? e.size : sizeof a.v6;
  std::memcpy(&a.any, &e.any, a.size);
  return a;
}

const char* path_of(const endpoint& e, std::size_t& length) noexcept {
  length = 0;
  if (e.size <= path_offset) return nullptr;
  length = e.size - path_offset;
  if (e.un.sun_path[0] != 0) length = ::strnlen(e.un.sun_path, length);
  return e.un.sun_path;
}

int local_endpoint(int fd, endpoint& to) noexcept {
  to.size = room;
  return ::getsockname(fd, &to.any, &to.size) == 0 ? 0 : -errno;
}

int peer_endpoint(int fd, endpoint& to) noexcept {
  to.size = room;
  return ::getpeername(fd, &to.any, &to.size) == 0 ? 0 : -errno;
}

}  // namespace weft::inline v0::io
