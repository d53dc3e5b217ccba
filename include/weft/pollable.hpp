// SPDX-License-Identifier: MIT
// pollable{fd}: waits for a descriptor that belongs to somebody else, as an operation.
#pragma once

#include "weft/transfer.hpp"

namespace weft::inline v0 {

/// A descriptor of another library's, watched and never read, written or closed. The owner lets the
/// pollable go (close(), or its end) before it closes the descriptor. Not for two threads at once,
/// but tasks may wait on it while another one closes it.
class pollable {
 public:
  explicit pollable(int fd) : socket_(detail::adopt_descriptor(fd, false)) {}

  /// Ready when a read would not wait: there are bytes, the end, an error. It says so as long as it
  /// is so. Errors: errc::closed, and the system's if it cannot be watched.
  transfer_operation<void> readable() const noexcept {
    return op(detail::transfer::kind::readable);
  }
  /// Likewise for a write.
  transfer_operation<void> writable() const noexcept {
    return op(detail::transfer::kind::writable);
  }
  /// Ends the waits with errc::closed. The descriptor itself stays open.
  void close() noexcept { detail::close_socket(*socket_); }

 private:
  transfer_operation<void> op(detail::transfer::kind what) const noexcept {
    return transfer_operation<void>(detail::transfer(*socket_, what));
  }
  detail::socket_owner socket_;
};

}  // namespace weft::inline v0
