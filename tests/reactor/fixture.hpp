// SPDX-License-Identifier: MIT
// What the tests of the reactor share: a reactor of the backend under test, performers that note
// their wake-ups, requests that note their end, and descriptors that clean up behind themselves.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "reactor/backends.hpp"
#include "weft/core/reactor.hpp"

namespace weft_test {

using weft::core::descriptor;
using weft::core::direction;
using weft::core::forever;
using weft::core::io_request;
using weft::core::nanoseconds;
using weft::core::subject;
using weft::core::task;
using weft::core::task_kind;
using weft::core::wait_record;

/// A performer with one arm. `order` counts wake-ups, so the first to be woken has the least.
struct performer : task {
  performer() noexcept : task(kind_table) {}
  ~performer() {
    if (record.linked()) record.unlink();
  }
  void await(weft::core::reactor& r, descriptor& d, direction dir) noexcept {
    begin_plain();
    record.owner = this;
    record.arm = 7;
    r.await(d, dir, record);
  }
  bool woken() const noexcept { return wakes > 0; }

  wait_record record;
  int wakes = 0;
  int order = 0;

  static inline std::atomic<int> woken_so_far{0};
  static void on_wake(task& t) noexcept {
    auto& self = static_cast<performer&>(t);
    ++self.wakes;
    self.order = ++woken_so_far;
  }
  static inline const task_kind kind_table = {"performer", nullptr, on_wake};
};

struct request : io_request {
  request(kind k, descriptor& d, void* p = nullptr, std::size_t n = 0) noexcept {
    what = k;
    on = &d;
    data = p;
    size = n;
    done = [](io_request& q) noexcept { ++static_cast<request&>(q).ends; };
  }
  bool ended() const noexcept { return ends > 0; }
  int ends = 0;
};

/// Owns a descriptor's number.
class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& from) noexcept : fd_(std::exchange(from.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& from) noexcept {
    reset(std::exchange(from.fd_, -1));
    return *this;
  }
  ~unique_fd() { reset(); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

/// A descriptor that is attached while it lives.
struct attached : descriptor {
  attached(weft::core::reactor& r, unique_fd number) noexcept : io(&r), owned(std::move(number)) {
    fd = owned.get();
    status = r.attach(*this);
  }
  attached(attached&&) = delete;
  ~attached() { close(); }
  void close() noexcept {
    if (descriptor::attached) io->detach(*this);
    owned.reset();
  }
  /// As after a try that saw EAGAIN.
  void not_ready(direction d) noexcept { set_ready(d, false); }
  bool is_attached() const noexcept { return descriptor::attached; }

  weft::core::reactor* io;
  unique_fd owned;
  int status = 0;
};

/// A process or a signal that is attached while it lives.
struct watching : descriptor {
  watching(weft::core::reactor& r, subject s, int number) noexcept : io(&r) {
    what = s;
    id = number;
    status = r.attach(*this);
  }
  watching(watching&&) = delete;
  ~watching() { close(); }
  void close() noexcept {
    if (descriptor::attached) io->detach(*this);
  }
  bool is_attached() const noexcept { return descriptor::attached; }

  weft::core::reactor* io;
  int status = 0;
};

/// Exit code of a child, or 1000 and the signal that killed it.
inline int exit_status_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
/// Runs f in a child of fork(): what it returns is the exit code.
template <class F>
int in_a_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  return exit_status_of(child);
}

using fd_pair = std::pair<unique_fd, unique_fd>;

inline fd_pair local_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
  return {unique_fd(fds[0]), unique_fd(fds[1])};
}

/// The end to read, the end to write.
inline fd_pair make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) std::abort();
  return {unique_fd(fds[0]), unique_fd(fds[1])};
}

inline unique_fd tcp_socket() {
  return unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

inline sockaddr_in loopback() {
  sockaddr_in a = {};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

/// A file of its own with that text, at its beginning.
inline unique_fd file_of(const std::string& text) {
  char path[] = "/tmp/weft-reactor-XXXXXX";  // mkostemp() fills it in
  unique_fd file(::mkostemp(path, O_CLOEXEC));
  if (file.get() < 0) std::abort();
  ::unlink(path);
  if (::write(file.get(), text.data(), text.size()) < 0) std::abort();
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

inline sockaddr* generic(sockaddr_in& a) { return reinterpret_cast<sockaddr*>(&a); }

/// An address that nobody else uses, where the whole network is this machine's: a port there that
/// has been given back is given to no other process.
inline sockaddr_in loopback_of_our_own() {
  sockaddr_in a = loopback();
  const auto process = static_cast<std::uint32_t>(::getpid());
  a.sin_addr.s_addr = htonl(0x7f800001U | (process & 0x1fffffU) << 1);
  const unique_fd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ::bind(probe.get(), generic(a), sizeof a) == 0 ? a : loopback();
}

/// A socket with a port of its own, not listening yet.
inline unique_fd bound(sockaddr_in& address, sockaddr_in where = loopback()) {
  unique_fd s = tcp_socket();
  address = where;
  socklen_t size = sizeof address;
  if (::bind(s.get(), generic(address), size) != 0) std::abort();
  if (::getsockname(s.get(), generic(address), &size) != 0) std::abort();
  return s;
}

inline unique_fd listening(sockaddr_in& address, sockaddr_in where = loopback()) {
  unique_fd s = bound(address, where);
  if (::listen(s.get(), 128) != 0) std::abort();
  return s;
}

/// Two connected TCP sockets.
inline fd_pair tcp_pair() {
  sockaddr_in address;
  const unique_fd listener = listening(address);
  unique_fd a = unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(a.get(), generic(address), sizeof address) != 0) std::abort();
  ::fcntl(a.get(), F_SETFL, O_NONBLOCK);
  int accepted = -1;
  while ((accepted = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
    if (errno != EAGAIN) std::abort();
  return {std::move(a), unique_fd(accepted)};
}

inline void put(int fd, const std::string& data) {
  ASSERT_EQ(::write(fd, data.data(), data.size()), static_cast<ssize_t>(data.size()));
}

/// What has been sent through the loopback device may be on its way yet: waits for it.
inline std::string take(int fd) {
  pollfd something = {fd, POLLIN, 0};
  ::poll(&something, 1, -1);
  char data[256];
  const ssize_t n = ::read(fd, data, sizeof data);
  return n < 0 ? std::strerror(errno) : std::string(data, static_cast<std::size_t>(n));
}

/// Writes until the kernel takes no more; returns how much that was.
inline std::size_t fill(int fd) {
  static const std::vector<char> zeros(64 * 1024);
  std::size_t total = 0;
  for (std::size_t chunk = zeros.size(); chunk > 0;) {
    const ssize_t n = ::write(fd, zeros.data(), chunk);
    if (n > 0)
      total += static_cast<std::size_t>(n);
    else
      chunk /= 2;
  }
  return total;
}

inline std::vector<int> open_descriptors() {
  std::vector<int> open;
  for (int fd = 0; fd < 256; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) open.push_back(fd);
  return open;
}

inline void drain(int fd) {
  static std::vector<char> bytes(64 * 1024);
  while (::read(fd, bytes.data(), bytes.size()) > 0) {
  }
}

/// Every backend that there is; one that this machine has not is skipped, with the reason.
/// io_uring also with queues that run full, and as a kernel with less would have it; kqueue also as
/// an emulation has it.
inline auto backends() {
  return testing::Values(
#if WEFT_HAS_LIBURING
      "io_uring", "io_uring_small", "io_uring_cooperative", "io_uring_plain",
#endif
      "epoll", "kqueue", "kqueue_emulated", "select");
}
inline weft::core::reactor* make_backend(const std::string& name, const char** error) {
#if WEFT_HAS_LIBURING
  weft::reactor::uring_limits limits;
  if (name == "io_uring_small") {
    limits.submissions = 2;
    limits.completions = 4;
  } else {
    limits.deferred = false;
    limits.cooperative = name != "io_uring_plain";
  }
  if (name.rfind("io_uring_", 0) == 0) {
    int code = 0;
    weft::core::reactor* r = weft::reactor::make_io_uring_within(limits, &code);
    *error = r ? nullptr : weft::core::describe(code).message;
    return r;
  }
#endif
  if (name.rfind("kqueue", 0) == 0) {  // here perhaps the fake one
    int code = 0;
    weft::core::reactor* r = name == "kqueue" ? weft::reactor::make_kqueue(&code)
                                              : weft::reactor::make_kqueue_within({true}, &code);
    *error = r ? nullptr : weft::core::describe(code).message;
    return r;
  }
  return weft::core::make_reactor(name.c_str(), error);
}
inline std::string backend_name(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

/// A suite that runs for every backend.
class reactor_test : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* error = nullptr;
    io.reset(make_backend(GetParam(), &error));
    if (!io) GTEST_SKIP() << error;
  }

  /// Drives the reactor until something holds. What never comes is the suite's time-out.
  template <class Condition>
  void until(Condition condition) {
    while (!condition()) io->wait(forever);
  }
  /// Looks for whatever is there, without waiting.
  void poll() {
    while (io->wait(0) > 0) {
    }
  }

  std::unique_ptr<weft::core::reactor> io;
};

}  // namespace weft_test
