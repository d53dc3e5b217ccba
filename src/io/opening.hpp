// SPDX-License-Identifier: MIT
// opening: one performance of connect, or of listen by name: looks the name up if it is one, then
// tries each address until one succeeds. A callback task of its own; whoever waits for it is
// completed when it has finished. Abandoned, it releases everything at once, but for a lookup that
// its thread still holds.
#pragma once

#include <cstdint>

#include "io/resolve.hpp"
#include "io/socket.hpp"
#include "weft/config.hpp"
#include "weft/core/worker.hpp"

struct addrinfo;

namespace weft::inline v0::io {

struct opening_options {
  bool listens = false;  // else it connects
  bool nodelay = true;   // of a connection
  listen_options listen;
};

class WEFT_API opening final : public core::task {
 public:
  /// Null: not enough memory.
  static opening* make(const char* host, std::uint16_t port, const opening_options& o) noexcept;

  const char* host() const noexcept { return host_; }
  std::uint16_t port() const noexcept { return port_; }
  bool listens() const noexcept { return options_.listens; }

  /// Once, on the worker that it will live on. It may have finished when the call returns.
  void begin(core::worker& w) noexcept;
  bool begun() const noexcept { return at_ != nullptr; }
  bool finished() const noexcept { return finished_; }
  /// r's owner is completed with r.arm when it has finished.
  void await(core::wait_record& r) noexcept;
  /// Once it has finished: the descriptor, which is the caller's from now on, or -errno.
  int take() noexcept;

  /// The maker's last touch, at any time on that worker, or after it has ended.
  void abandon() noexcept;

 private:
  opening(const char* host, std::uint16_t port, const opening_options& o) noexcept;
  ~opening();

  static void run(core::task& t, core::worker& w);
  static void wake(core::task& t) noexcept;
  static const core::task_kind kind_table;

  bool next_address(address& a) noexcept;
  int connect_to(const address& a) noexcept;
  int connected() noexcept;
  void go_on() noexcept;
  void park() noexcept;
  void drop_socket() noexcept;
  void finish(int result) noexcept;

  core::worker* at_ = nullptr;
  opening_options options_;
  std::uint16_t port_;
  bool numeric_ = false;
  bool numeric_used_ = false;
  bool connecting_ = false;
  bool finished_ = false;
  bool abandoned_ = false;
  int result_ = 0;  // the last error, or the descriptor
  lookup* names_ = nullptr;
  const addrinfo* candidate_ = nullptr;
  socket socket_;
  core::wait_record record_;  // its own wait, for the lookup or the socket
  core::list<core::wait_record> waiters_;
  address address_;
  char host_[host_limit];
};

}  // namespace weft::inline v0::io
