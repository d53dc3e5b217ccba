// SPDX-License-Identifier: MIT
#if WEFT_HAS_LIBURING
#include "reactor/uring_ring.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "reactor/readiness.hpp"

namespace weft::inline v0::reactor {

namespace {

// Linux 5.13, the first with polls that stay (there is no flag for them), has all of these.
constexpr unsigned needed =
    IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_RW_CUR_POS | IORING_FEAT_RSRC_TAGS;

unsigned flags_of(uring_mode m) noexcept {
  constexpr unsigned always = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
  switch (m) {
    case uring_mode::deferred:
      return always | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
             IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    case uring_mode::cooperative:
      return always | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
             IORING_SETUP_TASKRUN_FLAG;
    case uring_mode::plain: break;
  }
  return always;
}

/// After memory has been mapped, and before it is unmapped. The kernel orders a ring behind the one
/// of another thread that was in the same place; in C++ this does, for ThreadSanitizer, which sees
/// no call of liburing's.
void order_mappings() noexcept {
  static core::atomic<unsigned> mappings{0};
  mappings.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace

int uring_ring::open(uring_mode first, uring_size size) noexcept {
  int error = -EINVAL;
  for (auto m = static_cast<unsigned>(first); m <= static_cast<unsigned>(uring_mode::plain); ++m) {
    io_uring_params p = {};
    p.flags = flags_of(static_cast<uring_mode>(m));
    p.cq_entries = size.completions;
    error = io_uring_queue_init_params(size.submissions, &ring_, &p);
    if (error == -EINVAL) continue;
    if (error != 0) return error;
    order_mappings();
    open_ = true;
    mode_ = static_cast<uring_mode>(m);
    size_ = size;
    if ((p.features & needed) == needed) return 0;
    close();
    return -ENOSYS;
  }
  return error;
}

int uring_ring::enable() noexcept {
  // Debian's liburing 2.3 declares io_uring_enable_rings() and has it not.
  if (::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) !=
      0)
    return -errno;
  // Not registered with the thread (io_uring_register_ring_fd): that would keep the ring, and what
  // it has in flight, when another thread has taken over and closed it.
  return 0;
}

void uring_ring::close() noexcept {
  if (!open_) return;
  order_mappings();
  io_uring_queue_exit(&ring_);
  open_ = false;
}

void uring_ring::forget() noexcept {
  if (open_) ::close(ring_.ring_fd);
  open_ = false;
}

void uring_ring::swap(uring_ring& other) noexcept {
  std::swap(ring_, other.ring_);
  std::swap(open_, other.open_);
  std::swap(mode_, other.mode_);
  std::swap(size_, other.size_);
}

io_uring_sqe* uring_ring::next() noexcept {
  if (io_uring_sqe* s = io_uring_get_sqe(&ring_)) return s;
  io_uring_submit(&ring_);  // may be short: then there is room all the same
  return io_uring_get_sqe(&ring_);
}

void uring_ring::flush() noexcept {
  constexpr int rounds = 64;  // the kernel does a bounded amount of work in each
  int n = io_uring_submit_and_get_events(&ring_);
  for (int i = 0; i < rounds && n >= 0 && has_work(); ++i)
    n = io_uring_submit_and_get_events(&ring_);
}

int uring_ring::enter(core::nanoseconds timeout) noexcept {
  if (timeout == 0) {
    const int n = io_uring_submit_and_get_events(&ring_);
    return n < 0 ? n : 0;
  }
  io_uring_cqe* first = nullptr;
  __kernel_timespec t = {timeout / 1'000'000'000, timeout % 1'000'000'000};
  const int n = io_uring_submit_and_wait_timeout(&ring_, &first, 1,
                                                 timeout == core::forever ? nullptr : &t, nullptr);
  return n < 0 ? n : 0;
}

bool uring_ring::has_work() const noexcept {
  constexpr unsigned pending = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
  return io_uring_sq_ready(&ring_) != 0 || (IO_URING_READ_ONCE(*ring_.sq.kflags) & pending) != 0;
}

}  // namespace weft::inline v0::reactor
#endif
