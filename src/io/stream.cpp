// SPDX-License-Identifier: MIT
#include "io/stream.hpp"

#include <fcntl.h>
#include <sys/time.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace weft::inline v0::io {

namespace {

using core::direction;
using core::wait_record;

constexpr core::nanoseconds tick_length = 100'000'000;
constexpr int ticks_without_progress = 300;
constexpr int sends_a_turn = 16;  // then the others have theirs

void wake_all(core::list<wait_record>& waiters, std::uint32_t arm_offset, bool closed) noexcept {
  while (wait_record* r = waiters.pop_front()) {
    core::task& t = *r->owner;
    if (!t.complete_at_home(r->arm + arm_offset)) continue;
    t.closed = closed;
    t.kind->wake(t);
  }
}

/// Sends until all is sent or the kernel takes no more (the mark is cleared): bytes, or -errno.
std::int64_t send_now(socket& s, const char* data, std::size_t size, int limit) noexcept {
  std::size_t sent = 0;
  for (; sent < size && limit > 0; --limit) {
    const std::int64_t n = sys::send(s.fd, data + sent, size - sent);
    if (n == -EAGAIN) {
      s.set_ready(direction::out, false);
      break;
    }
    if (n < 0) return n;
    sent += static_cast<std::size_t>(n);
  }
  return static_cast<std::int64_t>(sent);
}

/// The peer sees a reset instead of an end.
void close_with_reset(int fd) noexcept {
  const linger at_once = {1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

void send_in_foreground(int fd, const char* data, std::size_t size) noexcept {
  const timeval limit = {5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  while (size > 0) {
    const std::int64_t n = sys::send(fd, data, size);
    if (n <= 0) return close_with_reset(fd);
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  ::close(fd);
}

void hold(core::scope* s) noexcept {
  if (s) ++s->ordinary;
}
void let_go(core::scope* s) noexcept {
  if (s && --s->ordinary == 0) wake_all(s->emptied, 0, false);
}

}  // namespace

/// What the kernel did not take. Exists while it has bytes, a turn is given, or somebody waits for
/// one; after its stream has been closed, while it has bytes.
class outbox final : public core::task {
 public:
  explicit outbox(stream& owner) noexcept : core::task(kind_table), owner_(&owner) {}
  ~outbox() { std::free(data_); }

  bool has_bytes() const noexcept { return data_ != nullptr; }
  bool busy() const noexcept { return has_bytes() || turn_ || !room_.empty(); }

  bool take(const char* data, std::size_t size) noexcept;
  void send() noexcept;
  void end_turn() noexcept { turn_ = false; }
  void next_turn() noexcept;
  void broke() noexcept;

  void interrupt() noexcept;
  void discard() noexcept;
  void send_alone(int fd, core::worker& w, core::scope* keeps_open) noexcept;
  void send_at_once(int fd, bool may_wait) noexcept;

  core::list<wait_record> room_;  // who waits for the turn
  core::list<wait_record> sent_;  // who waits for the bytes to be sent

 private:
  enum : std::uint32_t { arm_writable, arm_tick };

  static void run(core::task& t, core::worker& w);
  static void wake(core::task& t) noexcept;
  static const core::task_kind kind_table;

  socket& on() noexcept { return owner_ ? static_cast<socket&>(*owner_) : own_; }
  bool queued() const noexcept { return state == core::task_state::runnable; }
  void await() noexcept;
  void flushed() noexcept;
  bool hopeless(bool ticked) noexcept;
  void end_alone(bool reset) noexcept;

  stream* owner_;  // null once it has been closed
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t done_ = 0;  // bytes of it that have been sent
  wait_record writable_;
  wait_record tick_;
  bool turn_ = false;       // somebody was woken from room_ and has not written yet
  bool discarded_ = false;  // frees itself when it runs
  int idle_ticks_ = 0;
  core::scope* keeps_open_ = nullptr;
  socket own_;  // the descriptor of a stream that has been closed
};

const core::task_kind outbox::kind_table = {"outbox", outbox::run, outbox::wake};

void outbox::wake(core::task& t) noexcept {
  auto& o = static_cast<outbox&>(t);
  o.on().at->ready(o);
}

/// Copies what is left of a write. False: not enough memory.
bool outbox::take(const char* data, std::size_t size) noexcept {
  data_ = static_cast<char*>(std::malloc(size));
  if (!data_) return false;
  std::memcpy(data_, data, size);
  size_ = size;
  done_ = 0;
  return true;
}

/// Waits, from now on on the worker that its socket is attached to.
void outbox::send() noexcept {
  interrupt();
  await();
}

void outbox::await() noexcept {
  state = core::task_state::parked;
  begin_plain();
  socket& s = on();
  writable_.owner = tick_.owner = this;
  writable_.arm = arm_writable;
  tick_.arm = arm_tick;
  if (!owner_) s.at->arm_timer(tick_, s.at->now() + tick_length);
  io::await(s, direction::out, writable_);
}

void outbox::interrupt() noexcept {
  if (writable_.linked()) writable_.unlink();
  if (tick_.linked()) tick_.unlink();
}

void outbox::run(core::task& t, core::worker&) {
  auto& o = static_cast<outbox&>(t);
  o.state = core::task_state::running;
  if (o.discarded_) return o.discard();
  o.interrupt();
  socket& s = o.on();
  const bool ticked = o.winner == arm_tick;
  if (!ticked) begin_turn(s, direction::out);
  const std::int64_t n = send_now(s, o.data_ + o.done_, o.size_ - o.done_, sends_a_turn);
  if (n < 0) {
    if (!o.owner_) return o.end_alone(true);
    o.owner_->broken = static_cast<int>(n);
    return o.broke();
  }
  o.done_ += static_cast<std::size_t>(n);
  if (n > 0) o.idle_ticks_ = 0;
  if (o.done_ == o.size_) return o.flushed();
  if (o.hopeless(ticked)) return o.end_alone(true);
  o.await();
}

void outbox::flushed() noexcept {
  std::free(data_);
  data_ = nullptr;
  if (!owner_) return end_alone(false);
  if (owner_->shut_out) ::shutdown(owner_->fd, SHUT_WR);
  wake_all(sent_, 0, false);
  io::end_turn(*owner_, direction::out);
  next_turn();
}

/// The oldest who waits for it; with nobody left there is nothing to keep an outbox for.
void outbox::next_turn() noexcept {
  while (wait_record* r = room_.pop_front()) {
    core::task& t = *r->owner;
    if (!t.complete_at_home(r->arm)) continue;
    turn_ = true;
    t.kind->wake(t);
    return;
  }
  owner_->out = nullptr;
  discard();
}

/// The connection has ended while there were bytes: owner_->broken tells all who wait.
void outbox::broke() noexcept {
  wake_all(sent_, 1, false);
  wake_all(room_, 0, false);
  io::end_turn(*owner_, direction::out);
  owner_->out = nullptr;
  discard();
}

/// Frees it, now or when it has run.
void outbox::discard() noexcept {
  interrupt();
  discarded_ = true;
  if (!queued()) delete this;
}

// ---- after close ----

void outbox::send_alone(int fd, core::worker& w, core::scope* keeps_open) noexcept {
  owner_ = nullptr;
  own_.fd = fd;
  if (attach(own_, w) != 0) {
    close_with_reset(fd);
    return discard();
  }
  keeps_open_ = keeps_open;
  hold(keeps_open_);
  if (!queued()) await();
}

void outbox::send_at_once(int fd, bool may_wait) noexcept {
  const char* rest = data_ + done_;
  const std::size_t size = size_ - done_;
  if (may_wait)
    send_in_foreground(fd, rest, size);
  else if (sys::send(fd, rest, size) == static_cast<std::int64_t>(size))
    ::close(fd);
  else
    close_with_reset(fd);
}

bool outbox::hopeless(bool ticked) noexcept {
  if (owner_) return false;
  if (keeps_open_ && keeps_open_->cancelled) return true;
  if (ticked) ++idle_ticks_;
  return idle_ticks_ >= ticks_without_progress;
}

void outbox::end_alone(bool reset) noexcept {
  interrupt();
  const int fd = release(own_);
  if (reset)
    close_with_reset(fd);
  else
    ::close(fd);
  let_go(keeps_open_);
  discard();
}

// ---- the stream ----

namespace {

bool keep(stream& s, const char* data, std::size_t size) noexcept {
  if (!s.out) s.out = new (std::nothrow) outbox(s);
  if (!s.out || !s.out->take(data, size)) {
    s.broken = -ENOMEM;  // part of it may have gone: no more can follow
    if (s.out) s.out->broke();
    return false;
  }
  s.out->send();
  return true;
}

void close(stream& s, core::scope* keeps_open, bool may_wait) noexcept {
  if (s.closed()) return;
  outbox* o = s.out;
  s.out = nullptr;
  if (o) {
    o->interrupt();
    wake_all(o->sent_, 0, true);
    wake_all(o->room_, 0, true);
  }
  core::worker* at = s.attached ? s.at : nullptr;
  const int fd = release(s);
  if (!o || !o->has_bytes() || s.broken) {
    ::close(fd);
  } else if (at) {
    return o->send_alone(fd, *at, keeps_open);
  } else {
    o->send_at_once(fd, may_wait);
  }
  if (o) o->discard();
}

}  // namespace

int attach_stream(stream& s, core::worker& w) noexcept {
  const int error = attach(s, w);
  if (error == 0 && s.out && s.out->has_bytes()) s.out->send();
  return error;
}

[[gnu::noinline]] char* scratch() noexcept {
  thread_local const std::unique_ptr<char[]> bytes(new (std::nothrow) char[scratch_size]);
  return bytes.get();
}

written write_slowly(stream& s, const char* data, std::size_t size, bool had_turn) noexcept {
  if (had_turn && s.out) s.out->end_turn();
  if (s.broken || s.shut_out) {
    if (had_turn && s.out) s.out->next_turn();
    return written::failed;
  }
  if (!had_turn && s.out && s.out->busy()) return written::wait;
  std::int64_t n = 0;
  if (size > 0 && s.is_ready(direction::out)) n = send_now(s, data, size, INT32_MAX);
  if (n < 0) {
    s.broken = static_cast<int>(n);
    if (s.out) s.out->broke();
    return written::failed;
  }
  const auto sent = static_cast<std::size_t>(n);
  if (sent < size) return keep(s, data + sent, size - sent) ? written::kept : written::failed;
  if (s.out) s.out->next_turn();
  return written::sent;
}

bool can_write(const stream& s) noexcept {
  return s.closed() || s.broken || s.shut_out || !s.out || !s.out->busy();
}

void await_turn(stream& s, wait_record& r) noexcept { s.out->room_.push_back(r); }
void await_sent(stream& s, wait_record& r) noexcept { s.out->sent_.push_back(r); }

int shutdown(stream& s, half which) noexcept {
  if (which != half::out && ::shutdown(s.fd, SHUT_RD) != 0) return -errno;
  if (which == half::in || s.shut_out) return 0;
  s.shut_out = true;
  if (s.out && s.out->has_bytes()) return 0;
  return ::shutdown(s.fd, SHUT_WR) == 0 ? 0 : -errno;
}

void close(stream& s, core::scope* keeps_open) noexcept { close(s, keeps_open, true); }
void drop(stream& s, core::scope* keeps_open) noexcept { close(s, keeps_open, false); }

}  // namespace weft::inline v0::io
