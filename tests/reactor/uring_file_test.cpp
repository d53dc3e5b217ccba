// SPDX-License-Identifier: MIT
// Requests on regular files that io_uring has in flight, and their cancellation. The other backends
// have none in flight.
#if WEFT_HAS_LIBURING
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <array>
#include <csignal>

#include "fixture.hpp"

using namespace weft_test;
using kind = io_request::kind;

namespace {

class uring_file : public reactor_test {};

TEST_P(uring_file, cancelled_before_the_kernel_has_it) {
  attached d(*io, file_of("text"));
  for (int i = 0; i < 100; ++i) {
    char data[4];
    request q(kind::read, d, data, sizeof data);
    io->submit(q);
    io->cancel(q);
    until([&] { return q.ended(); });
    poll();
    EXPECT_EQ(q.ends, 1);
    EXPECT_TRUE(q.result == -ECANCELED || q.result == 4 || q.result == 0) << q.result;
    EXPECT_FALSE(io->busy());
  }
}

TEST_P(uring_file, cancelled_in_the_queue) {
  attached d(*io, file_of("abc"));
  char data[3] = {};
  request first(kind::read, d, &data[0], 1);
  request second(kind::read, d, &data[1], 1);
  request third(kind::read, d, &data[2], 1);
  for (request* each : {&first, &second, &third}) io->submit(*each);
  io->cancel(second);
  EXPECT_EQ(second.result, -ECANCELED);
  until([&] { return first.ended() && third.ended(); });
  EXPECT_EQ(std::string(data, 3), std::string("a\0b", 3));
  EXPECT_EQ(second.ends, 1);
}

// ---- a regular file that is slow: of a file system that answers reads when it is told what

constexpr char hold = 'h';
constexpr char with_data = 'd';
constexpr char interrupted = 'i';

/// What the kernel asks, and answers to it.
class slow_file_system {
 public:
  /// told: gets a byte for each read that is held; orders: what to do from now on.
  slow_file_system(int device, int told, int orders)
      : device_(device), told_(told), orders_(orders) {}
  void serve() {
    for (;;) {
      pollfd ready[] = {{device_, POLLIN, 0}, {orders_, POLLIN, 0}};
      ::poll(ready, 2, -1);
      const bool asked = ready[0].revents && ::read(device_, request_.data(), request_.size()) > 0;
      take_orders();  // after it: what was ordered before the request was made holds for it
      if (asked) answer(as<fuse_in_header>(0));
    }
  }

 private:
  template <class T>
  T as(std::size_t offset) const {
    T value;
    std::memcpy(&value, request_.data() + offset, sizeof value);
    return value;
  }
  template <class T>
  void reply(std::uint64_t to, const T& body) {
    struct {
      fuse_out_header header;
      T body;
    } message = {{sizeof message, 0, to}, body};
    (void)!::write(device_, &message, sizeof message);
  }
  void fail(std::uint64_t to, int error) {
    const fuse_out_header message = {sizeof message, -error, to};
    (void)!::write(device_, &message, sizeof message);
  }
  void answer(const fuse_in_header& to) {
    switch (to.opcode) {
      case FUSE_INIT: {
        fuse_init_out out = {};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_write = 4096;
        out.flags = FUSE_ASYNC_READ;  // else whoever submits waits for it
        return reply(to.unique, out);
      }
      case FUSE_GETATTR: {
        fuse_attr_out out = {};
        out.attr_valid = 3'600;
        out.attr.ino = 1;
        out.attr.nlink = 1;
        out.attr.mode = S_IFREG | 0444;
        out.attr.size = 1 << 20;
        return reply(to.unique, out);
      }
      case FUSE_OPEN: return reply(to.unique, fuse_open_out{});
      case FUSE_READ:
        held_ = to.unique;
        if (order_ != hold) return answer_read();
        (void)!::write(told_, "", 1);
        return;
      case FUSE_FORGET:
      case FUSE_INTERRUPT: return;
      default: return fail(to.unique, ENOSYS);
    }
  }

  /// One by one: the cancelled read may have ended, and the next been ordered, before this comes to
  /// the answer of the first.
  void take_orders() {
    ssize_t n;
    while ((n = ::read(orders_, &order_, 1)) == 1)
      if (held_ != 0 && order_ != hold) answer_read();
    if (n == 0) ::_exit(0);
  }
  void answer_read() {
    const std::uint64_t to = std::exchange(held_, 0);
    if (order_ == with_data)
      reply(to, std::array<char, 4096>{});
    else
      fail(to, EINTR);
  }

  const int device_;
  const int told_;
  const int orders_;
  char order_ = hold;
  std::uint64_t held_ = 0;
  std::array<char, 1 << 16> request_;
};

/// In a mount namespace of its own, served by a child of its own. -1: not allowed here.
int open_slow_file(int told, int orders) {
  const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  char path[] = "/tmp/weft-reactor-XXXXXX";
  const int below = ::mkostemp(path, O_CLOEXEC);
  const std::string options =
      "fd=" + std::to_string(device) + ",rootmode=100444,user_id=0,group_id=0";
  int fd = -1;
  if (device >= 0 && below >= 0 && ::unshare(CLONE_NEWNS) == 0 &&
      ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, "") == 0 &&
      ::mount("slow", path, "fuse", MS_NODEV | MS_NOSUID, options.c_str()) == 0) {
    if (::fork() == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      slow_file_system(device, told, orders).serve();
      ::_exit(0);
    }
    ::close(device);  // the file system ends with its server
    fd = ::open(path, O_RDONLY | O_CLOEXEC);
    ::umount2(path, MNT_DETACH);
  }
  ::unlink(path);
  return fd;
}

int cancel_while_it_is_read(const char* backend) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto [begun, told] = make_pipe();
  auto [orders, order] = make_pipe();
  unique_fd file(open_slow_file(told.get(), orders.get()));
  if (file.get() < 0) return 77;
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_RANDOM);  // a page a read
  const char* error = nullptr;
  std::unique_ptr<weft::core::reactor> own(make_backend(backend, &error));
  attached d(*own, std::move(file));
  if (!d.is_file) return 2;
  const auto tell = [&](char what) { (void)!::write(order.get(), &what, 1); };
  for (int i = 0; i < 10; ++i) {
    tell(hold);
    ::lseek(d.fd, i * 65'536, SEEK_SET);  // nothing of it is in the page cache
    char data[64];
    request q(kind::read, d, data, sizeof data);
    request behind(kind::read, d, data, sizeof data);
    own->submit(q);
    own->submit(behind);
    // The last cancel may still interrupt this one before it is asked for; then it is begun again.
    for (char byte = 0; ::read(begun.get(), &byte, 1) != 1;) own->wait(1'000'000);
    own->cancel(q);
    own->cancel(behind);
    own->wait(0);
    const char how = i % 2 ? with_data : interrupted;
    tell(how);
    while (!q.ended()) own->wait(forever);
    own->wait(0);
    if (q.ends != 1 || behind.ends != 1) return 3;
    if (q.result != -ECANCELED && (how == interrupted || q.result != 64)) return 4;
    if (behind.result != -ECANCELED || own->busy()) return 5;
  }
  return 0;
}

TEST_P(uring_file, cancelled_while_it_is_read) {
  const int result = in_a_child([] { return cancel_while_it_is_read(GetParam()); });
  if (result == 77) GTEST_SKIP() << "no FUSE file system can be mounted here";
  EXPECT_EQ(result, 0);
}

INSTANTIATE_TEST_SUITE_P(backends, uring_file,
                         testing::Values("io_uring", "io_uring_small", "io_uring_cooperative",
                                         "io_uring_plain"),
                         backend_name);

}  // namespace
#endif
