// SPDX-License-Identifier: MIT
// process: a node child, or node in a thread of this process, and our end of the socket to it.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "foreign/node/embedded.hpp"

namespace weft::node {

/// What to run: a program with its arguments, or, without one, the embedded node; and the script.
struct command {
  std::vector<std::string> program;
  std::string script;
};

class process {
 public:
  process() = default;
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() { close(); }

  /// "", or what went wrong. A program is found on PATH; the other end of the socket is its
  /// descriptor 3, it is in a process group of its own, and no signal is blocked or ignored in it.
  std::string start(const command& c);

  /// False: the child is gone, or has closed its end.
  bool write(const char* data, std::size_t size) noexcept;
  /// The number of bytes; 0: the child is gone, or has closed its end.
  std::size_t read(char* data, std::size_t size) noexcept;

  /// Any thread: read returns 0 soon, and the child sees that its host has gone.
  void hang_up() noexcept;

  /// After read has returned 0: waits for the child's end, and says how it came about.
  std::string ending();

 private:
  struct tenant {  // the embedded node's side
    tenant(int s, const std::string& what) : socket(s), script(what) {}
    const residence room;
    const int socket;
    const std::string script;
    std::string ending;
    pthread_t thread{};
  };

  std::string spawn(int socket, const command& c);
  std::string start_embedded(int socket, const std::string& script);
  static void* live(void* embedded);
  void close() noexcept;

  std::unique_ptr<tenant> embedded_;
  int socket_ = -1;
  pid_t child_ = -1;
};

}  // namespace weft::node
