// SPDX-License-Identifier: MIT
// io_uring: readiness by polls that stay, asked for when somebody first waits in a direction;
// requests on regular files as requests of the ring. Everything that is asked for in a turn goes to
// the kernel in the one call that also waits.
//
// What the kernel holds names a slot, never a descriptor: a slot is used again only after the last
// completion of whatever it had in flight, so one that comes late finds nobody.
//
// A poll holds its socket open, and the kernel takes a ring down only some milliseconds after its
// process has ended. A listener that lived on so long would keep its port from the server that is
// started next, so listeners hang on an epoll instance, which holds nothing, and the ring polls
// that.
//
// The ring is bound to its thread. When another thread takes over, a new ring is made, and what is
// waited for is asked for again; polls lose nothing by that.
#if WEFT_HAS_LIBURING
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <new>
#include <utility>
#include <vector>

#include "reactor/backends.hpp"
#include "reactor/readiness.hpp"
#include "reactor/syscalls.hpp"
#include "reactor/uring_ring.hpp"

namespace weft::inline v0::reactor {

namespace {

using core::descriptor;
using core::direction;
using core::io_request;
using kind = core::io_request::kind;

constexpr direction both[] = {direction::in, direction::out};
constexpr std::uint8_t bit(direction d) noexcept {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(d));
}
constexpr std::uint8_t file_bit = 4;
constexpr std::uint8_t listener_bit = 8;  // is on listeners_

/// What a completion is of. The slot's number is above it.
enum class source : std::uint8_t { nobody, bell, listeners, poll_in, poll_out, file };
constexpr unsigned source_bits = 3;

std::uint64_t tag(std::uint32_t slot, source s) noexcept {
  return static_cast<std::uint64_t>(slot) << source_bits | static_cast<std::uint64_t>(s);
}
source polled(direction d) noexcept {
  return d == direction::in ? source::poll_in : source::poll_out;
}

/// Of the calling thread, from 1 on, and no other's ever: a new thread may be where an ended one
/// was.
std::uint64_t thread_number() noexcept {
  static core::atomic<std::uint64_t> threads{0};
  thread_local constinit std::uint64_t mine = 0;
  if (mine == 0) mine = threads.fetch_add(1, std::memory_order_relaxed) + 1;
  return mine;
}

class uring final : public readiness {
 public:
  uring(uring_ring& r, int bell) noexcept : bell_(bell) { ring_.swap(r); }
  ~uring() override;

  const char* name() const noexcept override { return "io_uring"; }
  const char* features() const noexcept override;
  int watch_fd() noexcept override;
  void cancel(io_request& q) noexcept override;
  bool watches(const descriptor& d, direction dir) const noexcept override {
    return slots_[d.slot].is_watched(dir);
  }

 protected:
  int add(descriptor& d) noexcept override;
  void remove(descriptor& d) noexcept override;
  void want(descriptor& d, direction dir) noexcept override;
  void submit_to_file(io_request& q) noexcept override;
  int collect(core::nanoseconds timeout) noexcept override;

  // The bell is never read: each write is an event, of its poll as of the watch.
  void ring() noexcept override {
    const std::uint64_t one = 1;
    (void)!::write(bell_, &one, sizeof one);
  }

 private:
  struct slot {
    descriptor* owner = nullptr;
    std::uint32_t next_free = 0;
    std::uint8_t in_flight = 0;  // by bit(): polls; file_bit; listener_bit
    bool queued = false;         // in to_arm_
    bool cancelled = false;      // of the request on a file: not to be begun again

    bool is_watched(direction d) const noexcept {
      return (in_flight & (d == direction::in ? bit(d) | listener_bit : bit(d))) != 0;
    }
  };

  bool take_over() noexcept;
  bool open_watch() noexcept;
  void ring_signal() noexcept;
  void queue(std::uint32_t number) noexcept;
  void arm_what_is_wanted() noexcept;
  bool forget_shown() noexcept;
  void arm_queued() noexcept;
  bool arm(std::uint32_t number, direction dir) noexcept;
  bool arm_own(int fd, source s) noexcept;
  bool watch_listener(std::uint32_t number) noexcept;
  void begin(std::uint32_t number, io_request& q) noexcept;
  io_uring_sqe* next() noexcept;
  void cancel_in_flight(std::uint32_t number, source s) noexcept;
  void release(std::uint32_t number) noexcept;
  int fetch(core::nanoseconds timeout) noexcept;
  int reap() noexcept;
  int deliver(const io_uring_cqe& c) noexcept;
  int deliver_listeners() noexcept;
  int deliver_poll(std::uint32_t number, direction dir, const io_uring_cqe& c) noexcept;
  int deliver_file(std::uint32_t number, int result) noexcept;

  uring_ring ring_;
  const int bell_;
  int watch_ = -1;        // what another loop watches, once one does: the bell, and signal_
  int signal_ = -1;       // signalled by the ring
  bool signals_ = false;  // by this one
  bool bell_armed_ = false;
  int listeners_ = -1;  // an epoll instance, once there is a listener
  bool listeners_armed_ = false;
  std::uint64_t thread_ = 0;    // whose ring it is; 0: not enabled yet
  int early_ = 0;               // events that were fetched outside of wait()
  std::vector<slot> slots_{1};  // the first is nobody's
  std::uint32_t free_ = 0;
  std::vector<std::uint32_t> to_arm_;  // with room for every slot
};

const char* uring::features() const noexcept {
  switch (ring_.mode()) {
    case uring_mode::deferred: return "single_issuer defer_taskrun multishot_poll";
    case uring_mode::cooperative: return "coop_taskrun multishot_poll";
    case uring_mode::plain: break;
  }
  return "multishot_poll";
}

// Whoever closes a socket after this wants it closed then: nothing may be left in the kernel. What
// were, would be ended later, and interrupt a system call of this thread.
uring::~uring() {
  release_all();
  if (inherited()) {
    ring_.forget();
  } else if (thread_ == thread_number()) {
    for (std::uint32_t i = 1; i < slots_.size(); ++i)
      for (const direction dir : both)
        if (slots_[i].in_flight & bit(dir)) cancel_in_flight(i, polled(dir));
    if (bell_armed_) cancel_in_flight(0, source::bell);
    if (listeners_armed_) cancel_in_flight(0, source::listeners);
    ring_.flush();
  }
  ring_.close();
  if (watch_ >= 0) ::close(watch_);
  if (signal_ >= 0) ::close(signal_);
  if (listeners_ >= 0) ::close(listeners_);
  ::close(bell_);
}

// ---- descriptors ----

int uring::add(descriptor& d) noexcept {
  struct stat about;
  if (::fstat(d.fd, &about) != 0) return -errno;
  d.is_file = S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) || S_ISBLK(about.st_mode);
  if (free_ == 0) {
    try {
      if (to_arm_.capacity() <= slots_.size()) to_arm_.reserve(2 * slots_.size() + 1);
      slots_.emplace_back();
    } catch (const std::bad_alloc&) {
      return -ENOMEM;
    }
    free_ = static_cast<std::uint32_t>(slots_.size() - 1);
  }
  d.slot = free_;
  free_ = slots_[d.slot].next_free;
  slots_[d.slot].owner = &d;
  return 0;
}

// A poll in flight keeps the socket open: it is cancelled here and now, so that the close() that
// follows is one.
void uring::remove(descriptor& d) noexcept {
  slot& s = slots_[d.slot];
  if (s.in_flight & listener_bit) {
    sys::epoll_remove(listeners_, d.fd);
    s.in_flight &= static_cast<std::uint8_t>(~listener_bit);
  }
  s.owner = nullptr;
  if (s.in_flight == 0) return release(d.slot);
  if (!take_over() || s.in_flight == 0) return;
  for (const direction dir : both)
    if (s.in_flight & bit(dir)) cancel_in_flight(d.slot, polled(dir));
  ring_.flush();
}

void uring::release(std::uint32_t number) noexcept {
  slots_[number].next_free = free_;
  free_ = number;
}

void uring::cancel_in_flight(std::uint32_t number, source s) noexcept {
  io_uring_sqe* q = next();
  if (!q) return;
  io_uring_prep_cancel64(q, tag(number, s), 0);
  q->user_data = tag(0, source::nobody);
}

// ---- asking the kernel ----

/// A submission. Where the kernel takes none until completions are fetched, they are.
io_uring_sqe* uring::next() noexcept {
  constexpr int rounds = 4;  // each makes room, or nothing will
  for (int i = 0; i < rounds; ++i) {
    if (io_uring_sqe* s = ring_.next()) return s;
    early_ += reap();
    ring_.enter(0);
  }
  return nullptr;
}

void uring::want(descriptor& d, direction dir) noexcept {
  if (!watches(d, dir)) queue(d.slot);
}

void uring::queue(std::uint32_t number) noexcept {
  slot& s = slots_[number];
  if (s.queued) return;
  s.queued = true;
  to_arm_.push_back(number);
}

/// Who has given up meanwhile costs nothing.
void uring::arm_what_is_wanted() noexcept {
  arm_queued();
  if (listeners_ >= 0 && !listeners_armed_)
    listeners_armed_ = arm_own(listeners_, source::listeners);
}

void uring::arm_queued() noexcept {
  while (!to_arm_.empty()) {
    const std::uint32_t number = to_arm_.back();
    for (const direction dir : both)
      if (!arm(number, dir)) return;  // the rest at the next wait
    to_arm_.pop_back();
    slots_[number].queued = false;
  }
}

bool uring::arm(std::uint32_t number, direction dir) noexcept {
  slot& s = slots_[number];
  if (!s.owner || s.is_watched(dir) || !wanted(*s.owner, dir)) return true;
  if (dir == direction::in && sys::is_listening(s.owner->fd) && watch_listener(number)) return true;
  io_uring_sqe* q = ring_.next();
  if (!q) return false;
  io_uring_prep_poll_multishot(q, s.owner->fd, dir == direction::in ? POLLIN | POLLRDHUP : POLLOUT);
  q->user_data = tag(number, polled(dir));
  s.in_flight |= bit(dir);
  return true;
}

bool uring::arm_own(int fd, source s) noexcept {
  io_uring_sqe* q = ring_.next();
  if (!q) return false;
  io_uring_prep_poll_multishot(q, fd, POLLIN);
  q->user_data = tag(0, s);
  return true;
}

/// False: no epoll instance to be had, or it is on it twice; a poll of its own will do.
bool uring::watch_listener(std::uint32_t number) noexcept {
  slot& s = slots_[number];
  if (listeners_ < 0) listeners_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (sys::epoll_add(listeners_, s.owner->fd, EPOLLIN | EPOLLET, s.owner) != 0) return false;
  s.in_flight |= listener_bit;
  return true;
}

/// Makes the ring this thread's. False: there is no ring now, or no memory for one.
bool uring::take_over() noexcept {
  if (thread_ == thread_number()) return true;
  if (thread_ == 0) {
    if (ring_.enable() != 0) return false;
    thread_ = thread_number();
    return true;
  }
  uring_ring fresh;
  if (fresh.open(ring_.mode(), ring_.size()) != 0 || fresh.enable() != 0) return false;
  early_ += reap();  // what the other thread has not fetched
  ring_.swap(fresh);
  fresh.close();
  thread_ = thread_number();
  bell_armed_ = listeners_armed_ = signals_ = false;
  for (std::uint32_t i = 1; i < slots_.size(); ++i) {
    slot& s = slots_[i];
    if ((s.in_flight & ~listener_bit) == 0) continue;
    s.in_flight &= listener_bit;
    if (s.owner)
      queue(i);
    else
      release(i);
  }
  if (watch_ >= 0) wake();  // who watches the other ring begins anew
  return true;
}

/// A ring whose work is deferred does not wake who polls it; it signals an eventfd. What is queued
/// has to be in the kernel for that, and what has come before does not signal. The bell is watched
/// itself, and needs no poll in the ring then: each wake-up would go both ways.
int uring::watch_fd() noexcept {
  if (!take_over() || !open_watch()) return -1;
  if (!signals_) signals_ = io_uring_register_eventfd(&ring_.raw(), signal_) == 0;
  arm_what_is_wanted();
  if (ring_.has_work()) ring_.flush();
  if (io_uring_cq_ready(&ring_.raw()) != 0) ring_signal();
  return signals_ ? watch_ : -1;
}

/// Edge-triggered, so that what it has shown is forgotten by one call, and nothing is read.
bool uring::open_watch() noexcept {
  if (watch_ >= 0) return true;
  const int signal = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const int watch = ::epoll_create1(EPOLL_CLOEXEC);
  constexpr std::uint32_t edges = EPOLLIN | EPOLLET;
  if (signal >= 0 && watch >= 0 && sys::epoll_add(watch, signal, edges, nullptr) == 0 &&
      sys::epoll_add(watch, bell_, edges, nullptr) == 0) {
    signal_ = signal;
    watch_ = watch;
    if (std::exchange(bell_armed_, false)) cancel_in_flight(0, source::bell);
    return true;
  }
  if (signal >= 0) ::close(signal);
  if (watch >= 0) ::close(watch);
  return false;
}

/// Whether there was anything.
bool uring::forget_shown() noexcept {
  epoll_event shown[2];
  return watch_ >= 0 && sys::epoll_wait(watch_, shown, 2, 0) > 0;
}

void uring::ring_signal() noexcept {
  const std::uint64_t one = 1;
  (void)!::write(signal_, &one, sizeof one);
}

// ---- events ----

int uring::collect(core::nanoseconds timeout) noexcept {
  if (!take_over()) {  // as if interrupted; soon again
    constexpr core::nanoseconds pause = 10'000'000;
    const timespec t = to_timespec(timeout < pause ? timeout : pause);
    return sys::pselect(0, nullptr, nullptr, &t);
  }
  arm_what_is_wanted();
  if (timeout > 0 && !bell_armed_) bell_armed_ = arm_own(bell_, source::bell);
  const int events = fetch(timeout);
  // What comes from here on shows again at the latest when watch_fd() is asked for; what has been
  // fetched, and signals once more when it is completed, does not.
  const bool shown = forget_shown();
  return events > 0 ? events : shown;
}

int uring::fetch(core::nanoseconds timeout) noexcept {
  int events = reap() + early_;
  early_ = 0;
  if (events > 0) timeout = 0;
  if (timeout == 0 && !ring_.has_work()) return events;
  ring_.enter(timeout);
  return events + reap();
}

int uring::reap() noexcept {
  int events = 0;
  ring_.reap([&](const io_uring_cqe& c) { events += deliver(c); });
  return events;
}

int uring::deliver(const io_uring_cqe& c) noexcept {
  const auto number = static_cast<std::uint32_t>(c.user_data >> source_bits);
  switch (static_cast<source>(c.user_data & ((1U << source_bits) - 1))) {
    case source::nobody: break;
    case source::bell:  // cancelled: another may be armed by now
      if (c.res != -ECANCELED) bell_armed_ = (c.flags & IORING_CQE_F_MORE) != 0;
      return c.res > 0;
    case source::listeners:
      listeners_armed_ = (c.flags & IORING_CQE_F_MORE) != 0;
      return deliver_listeners();
    case source::poll_in: return deliver_poll(number, direction::in, c);
    case source::poll_out: return deliver_poll(number, direction::out, c);
    case source::file: return deliver_file(number, c.res);
  }
  return 0;
}

int uring::deliver_listeners() noexcept {
  constexpr int room = 16;
  epoll_event events[room];
  for (int total = 0;;) {
    const int n = sys::epoll_wait(listeners_, events, room, 0);
    for (int i = 0; i < n; ++i) {
      auto& d = *static_cast<descriptor*>(events[i].data.ptr);
      if (events[i].events & (EPOLLHUP | EPOLLERR))
        failed(d);
      else
        became_ready(d, direction::in);
    }
    if (n > 0) total += n;
    if (n < room) return total;
  }
}

int uring::deliver_poll(std::uint32_t number, direction dir, const io_uring_cqe& c) noexcept {
  slot& s = slots_[number];
  if (!(c.flags & IORING_CQE_F_MORE)) s.in_flight &= static_cast<std::uint8_t>(~bit(dir));
  if (!s.owner) {
    if (s.in_flight == 0) release(number);
    return 0;
  }
  descriptor& d = *s.owner;
  if (c.res < 0 && c.res != -ECANCELED) {
    failed(d);
  } else if (c.res > 0) {
    if (c.res & (POLLHUP | POLLERR | POLLRDHUP)) d.hung_up = true;  // told but once
    if (c.res & (POLLHUP | POLLERR))
      failed(d);
    else
      became_ready(d, dir);
  }
  if (!(s.in_flight & bit(dir)) && wanted(d, dir)) queue(number);
  return c.res != -ECANCELED;
}

// ---- regular files: one request at a time, since they share the position ----

void uring::submit_to_file(io_request& q) noexcept {
  const bool moves_data = q.what == kind::read || q.what == kind::write;
  if (!moves_data || inherited()) return readiness::submit_to_file(q);
  descriptor& d = *q.on;
  pending(d, direction::in).push_back(q);
  if (!(slots_[d.slot].in_flight & file_bit)) begin(d.slot, q);
}

void uring::begin(std::uint32_t number, io_request& q) noexcept {
  constexpr std::size_t most = 0x7ffff000;  // of one read() too
  constexpr std::uint64_t at_position = ~std::uint64_t{0};
  io_uring_sqe* s = take_over() ? next() : nullptr;
  if (!s) {
    q.unlink();
    return readiness::submit_to_file(q);
  }
  const auto size = static_cast<unsigned>(q.size < most ? q.size : most);
  if (q.what == kind::read)
    io_uring_prep_read(s, q.on->fd, q.data, size, at_position);
  else
    io_uring_prep_write(s, q.on->fd, q.data, size, at_position);
  s->user_data = tag(number, source::file);
  slots_[number].in_flight |= file_bit;
  slots_[number].cancelled = false;
}

int uring::deliver_file(std::uint32_t number, int result) noexcept {
  slot& s = slots_[number];
  s.in_flight &= static_cast<std::uint8_t>(~file_bit);
  descriptor& d = *s.owner;  // nothing is pending on what is detached
  auto& q = static_cast<io_request&>(*pending(d, direction::in).front());
  if (result == -EINTR || result == -EAGAIN) {
    if (!s.cancelled) {
      begin(number, q);
      return 0;
    }
    result = -ECANCELED;
  }
  q.unlink();
  end(q, result);
  if (core::list_node* after = pending(d, direction::in).front())
    begin(number, static_cast<io_request&>(*after));
  return 1;
}

void uring::cancel(io_request& q) noexcept {
  descriptor& d = *q.on;
  const bool in_kernel = !inherited() && q.linked() && d.is_file &&
                         (slots_[d.slot].in_flight & file_bit) &&
                         pending(d, direction::in).front() == &q;
  if (!in_kernel) return readiness::cancel(q);
  slots_[d.slot].cancelled = true;
  cancel_in_flight(d.slot, source::file);
}

}  // namespace

core::reactor* make_io_uring_within(const uring_limits& limits, int* error) noexcept {
  uring_ring ring;
  const uring_mode first = limits.deferred      ? uring_mode::deferred
                           : limits.cooperative ? uring_mode::cooperative
                                                : uring_mode::plain;
  *error = -ring.open(first, {limits.submissions, limits.completions});
  if (*error != 0) return nullptr;
  const int bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (bell < 0) return *error = errno, nullptr;
  try {
    return new uring(ring, bell);
  } catch (const std::bad_alloc&) {
    *error = ENOMEM;
  }
  ::close(bell);
  return nullptr;
}

core::reactor* make_io_uring(int* error) noexcept { return make_io_uring_within({}, error); }

}  // namespace weft::inline v0::reactor
#endif
