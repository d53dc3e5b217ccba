// SPDX-License-Identifier: MIT
// address: an IP address with a port. resolve(host): the addresses of a name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "weft/config.hpp"
#include "weft/result.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

namespace io {
struct address;
}

/// An IPv4 or IPv6 address and a port. A value; any thread.
class WEFT_API address {
 public:
  /// 0.0.0.0, port 0.
  address() noexcept;
  explicit address(const io::address& a) noexcept;

  /// As text, without the port: "127.0.0.1", "::1", "fe80::1%eth0".
  std::string host() const;
  std::uint16_t port() const noexcept;
  bool is_v6() const noexcept;
  /// "127.0.0.1:80", "[::1]:80".
  std::string text() const;

  friend bool operator==(const address& a, const address& b) noexcept {
    return a.size_ == b.size_ && a.bytes_ == b.bytes_;
  }

 private:
  alignas(8) std::array<std::byte, 32> bytes_{};  // a sockaddr
  std::size_t size_ = 0;
};

/// `co_await resolve("example.org")`: the addresses of a name, with port 0, in the order in which
/// they should be tried; a numeric address is its own. Waits while a helper thread asks the system.
/// Errors: errc::name_unknown, name_again, name_failed. A task; called anywhere.
WEFT_API task<result<std::vector<address>>> resolve(std::string host);

}  // namespace weft::inline v0
