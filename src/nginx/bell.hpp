// SPDX-License-Identifier: MIT
// bell: what wakes an event loop that is not ours, from any thread. An eventfd, or one end of a
// Unix socket whose other end is the loop's own.
#pragma once

#include <string>

#include "weft/core/seams.hpp"

namespace weft::inline v0::nginx {

class bell {
 public:
  bell() = default;
  bell(const bell&) = delete;
  bell& operator=(const bell&) = delete;
  ~bell();

  /// Any thread. Silent while there is no descriptor; the loop looks when it has made one.
  void ring() noexcept;

  /// Makes an eventfd: the descriptor, which stays ours, or -errno.
  int make_eventfd() noexcept;
  /// Makes a socket to connect to, in a folder that only this user may enter, in place of an
  /// eventfd. 0 or errno. Before anybody rings.
  int listen() noexcept;
  const char* path() const noexcept { return path_.c_str(); }
  /// Takes the connection that this process has made; the socket's name then goes. 0 or errno.
  int accept() noexcept;

 private:
  void stop_listening() noexcept;

  core::atomic<int> eventfd_{-1};
  core::atomic<int> socket_{-1};
  int listener_ = -1;
  std::string path_;
};

}  // namespace weft::inline v0::nginx
