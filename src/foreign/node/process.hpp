// SPDX-License-Identifier: MIT
// process: a node child and our end of the socket to it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace weft::node {

class process {
 public:
  process() = default;
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() { close(); }

  /// Starts `command` (found on PATH, with its arguments) with the other end of the socket as its
  /// descriptor 3, in a process group of its own, with no signal blocked or ignored. "", or what
  /// went wrong.
  std::string start(const std::vector<std::string>& command);

  /// False: the child is gone, or has closed its end.
  bool write(const char* data, std::size_t size) noexcept;
  /// The number of bytes; 0: the child is gone, or has closed its end.
  std::size_t read(char* data, std::size_t size) noexcept;

  /// Any thread: read returns 0 soon, and the child sees that its host has gone.
  void hang_up() noexcept;

  /// After read has returned 0: waits for the child's end, and says how it came about.
  std::string ending();

 private:
  void close() noexcept;

  int socket_ = -1;
  pid_t child_ = -1;
};

}  // namespace weft::node
