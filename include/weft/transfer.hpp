// SPDX-License-Identifier: MIT
// What the operations on descriptors have in common: try it; if the kernel says "not now", wait
// until it is worth another try, and try again once this arm has won. So a lost or cancelled one
// has taken nothing, and does not touch its buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "weft/config.hpp"
#include "weft/core/reactor.hpp"
#include "weft/operation.hpp"
#include "weft/result.hpp"

namespace weft::inline v0::detail {

class homed_socket;

struct WEFT_API end_socket {
  void operator()(homed_socket* s) const noexcept;
};
/// Of the object that a program holds: its end closes the descriptor.
using socket_owner = std::unique_ptr<homed_socket, end_socket>;

WEFT_API homed_socket* adopt_descriptor(int fd, bool owned);
/// Any thread. On another worker than its home it takes effect there, soon.
WEFT_API void close_socket(homed_socket& s) noexcept;
WEFT_API bool is_closed(const homed_socket& s) noexcept;

/// What a transfer gives for a socket that has been closed.
inline constexpr std::int64_t was_closed = INT64_MIN;
/// Of was_closed, or a negative error of the core's.
WEFT_API std::error_code to_error_code(std::int64_t error) noexcept;

/// One try, as a value.
struct transfer {
  enum class kind : std::uint8_t { read, write, accept, readable, writable };
  transfer(homed_socket& s, kind k, void* d = nullptr, std::size_t n = 0) noexcept
      : on(&s), data(d), size(n), what(k) {}

  homed_socket* on;
  void* data;
  std::size_t size;
  kind what;
};

class WEFT_API transfer_arm {
 public:
  static constexpr bool home_only = false;
  static constexpr bool resident = true;

  explicit transfer_arm(const transfer& t) noexcept : t_(t) {}
  transfer_arm(const transfer_arm&) = delete;
  transfer_arm& operator=(const transfer_arm&) = delete;
  ~transfer_arm();

  template <class F>
  void each_home(F& f) {
    f(home());
  }
  bool attempt(performer& p) noexcept;
  core::pass publish(performer& p, std::uint32_t index);
  bool confirm(performer& p) noexcept;
  void retract(performer&) noexcept {
    if (record_.linked()) record_.unlink();
  }
  void decide(std::uint32_t) noexcept {}
  void lose(performer&) noexcept {}
  std::uint32_t leaves() const noexcept { return 1; }

 protected:
  std::int64_t take() noexcept { return std::exchange(result_, was_closed); }

 private:
  core::homed& home() noexcept;
  bool try_now() noexcept;

  transfer t_;
  std::int64_t result_ = was_closed;
  bool keeps_ = false;  // counts the socket: it has waited for it
  core::wait_record record_;
};

/// The result of a transfer that gave n, which is not negative.
template <class T>
struct transferred {
  static result<T> of(std::int64_t n) noexcept { return result<T>(static_cast<T>(n)); }
};
template <>
struct transferred<void> {
  static result<void> of(std::int64_t) noexcept { return {}; }
};

}  // namespace weft::inline v0::detail

namespace weft::inline v0 {

/// What reading, writing, accepting and waiting for readiness give: an operation whose result is a
/// result<T>. It is performed on the worker that the descriptor is at home on; a task that runs
/// elsewhere moves there first. Its object must live until it waits or is done; one that is closed
/// while it waits ends it with errc::closed.
template <class T>
class [[nodiscard]] transfer_operation : public operation<transfer_operation<T>> {
 public:
  using result_type = result<T>;
  static constexpr bool shared = false;
  static constexpr const char* what = "descriptor";

  class arm : public detail::transfer_arm {
   public:
    explicit arm(const transfer_operation& op) noexcept : detail::transfer_arm(op.t_) {}
    result<T> settle(performer&) {
      const std::int64_t n = take();
      if (n < 0) return detail::to_error_code(n);
      return detail::transferred<T>::of(n);
    }
  };

  explicit transfer_operation(const detail::transfer& t) noexcept : t_(t) {}

 private:
  detail::transfer t_;
};

}  // namespace weft::inline v0
