// SPDX-License-Identifier: MIT
#include "nginx/bell.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace weft::inline v0::nginx {

namespace {

bool is_own(int fd) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == ::getpid();
}

void close_if_open(int fd) noexcept {
  if (fd >= 0) ::close(fd);
}

}  // namespace

bell::~bell() {
  stop_listening();
  close_if_open(socket_.load());
  close_if_open(eventfd_.load());
}

void bell::ring() noexcept {
  if (const int fd = eventfd_.load(std::memory_order_acquire); fd >= 0) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  } else if (const int to = socket_.load(std::memory_order_acquire); to >= 0) {
    // One that is full has rings in it.
    ::send(to, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

int bell::make_eventfd() noexcept {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return -errno;
  eventfd_.store(fd, std::memory_order_release);
  return fd;
}

int bell::listen() noexcept {
  stop_listening();
  close_if_open(eventfd_.exchange(-1));
  const char* folder = ::getenv("TMPDIR");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  try {
    path_ = std::string(folder && *folder ? folder : "/tmp") + "/weft-XXXXXX";
    if (path_.size() + sizeof "/bell" > sizeof address.sun_path) return ENAMETOOLONG;
    if (!::mkdtemp(path_.data())) {
      path_.clear();
      return errno;
    }
    path_ += "/bell";
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener_ >= 0 &&
      ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(listener_, 1) == 0)
    return 0;
  const int error = errno;
  stop_listening();
  return error;
}

int bell::accept() noexcept {
  int fd;
  // The folder is ours alone, but root's processes, and this user's, get in.
  while ((fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0 &&
         !is_own(fd))
    ::close(fd);
  const int error = fd < 0 ? errno : 0;
  stop_listening();
  if (fd < 0) return error;
  close_if_open(socket_.exchange(fd, std::memory_order_acq_rel));
  return 0;
}

void bell::stop_listening() noexcept {
  close_if_open(listener_);
  listener_ = -1;
  if (path_.empty()) return;
  ::unlink(path_.c_str());
  path_.resize(path_.rfind('/'));
  ::rmdir(path_.c_str());
  path_.clear();
}

}  // namespace weft::inline v0::nginx
