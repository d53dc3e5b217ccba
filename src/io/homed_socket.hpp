// SPDX-License-Identifier: MIT
// homed_socket: the descriptor behind a C++ object (tcp_stream, tcp_listener, pollable). Counted:
// by the object, by each operation that waits, and by a close that is on its way home.
//
// Everything in `io` is touched at home alone. Closing elsewhere says so in closing_, and posts the
// socket itself, as a message, to its home. models/: home.pml.
#pragma once

#include "io/socket.hpp"
#include "weft/config.hpp"
#include "weft/core/home.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::detail {

class homed_socket final : public core::homed, private core::task {
 public:
  homed_socket(int fd, bool owned) noexcept;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

  /// At home, before everything else that is done with it there: 0 or -errno.
  int use(core::worker& w) noexcept { return io::use(io, w); }
  /// Any thread, more than once.
  void close() noexcept;
  bool closed() const noexcept { return closing_.load(std::memory_order_acquire); }
  /// Any thread, while it is not closed.
  int fd() const noexcept { return fd_; }

  io::socket io;

 private:
  ~homed_socket() = default;
  bool let_go() noexcept override;
  void end() noexcept;

  static void run(core::task& t, core::worker& w);
  static const core::task_kind kind_table;

  const int fd_;
  const bool owned_;
  core::atomic<int> references_{1};
  core::atomic<bool> closing_{false};
};

}  // namespace weft::inline v0::detail
