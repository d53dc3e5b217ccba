// SPDX-License-Identifier: MIT
#include "weft/transfer.hpp"

#include <stdexcept>

#include "core/errors.hpp"
#include "io/homed_socket.hpp"
#include "io/stream.hpp"

namespace weft::inline v0::detail {

using core::direction;
using kind = transfer::kind;

namespace {

direction direction_of(kind k) noexcept {
  return k == kind::write || k == kind::writable ? direction::out : direction::in;
}

std::int64_t poll(io::socket& s, direction d) noexcept {
  if (sys::is_ready(s.fd, d == direction::in ? POLLIN : POLLOUT)) return 0;
  s.set_ready(d, false);
  return -EAGAIN;
}

std::int64_t send(io::socket& s, const void* data, std::size_t size) noexcept {
  const std::int64_t n = sys::send(s.fd, data, size);
  if (n == -EAGAIN) s.set_ready(direction::out, false);
  return n;
}

/// One try: what it gives, or -EAGAIN, and then the mark is cleared.
std::int64_t try_once(const transfer& t) noexcept {
  io::socket& s = t.on->io;
  switch (t.what) {
    case kind::read: return t.size == 0 ? 0 : io::read_some(s, t.data, t.size);
    case kind::write: return t.size == 0 ? 0 : send(s, t.data, t.size);
    case kind::accept: return io::accept(s);
    case kind::readable: return poll(s, direction::in);
    case kind::writable: return poll(s, direction::out);
  }
  return -EINVAL;
}

/// Waiting for readiness takes nothing, so it passes nobody.
bool takes(kind k) noexcept { return k != kind::readable && k != kind::writable; }

}  // namespace

transfer_arm::~transfer_arm() {
  if (t_.what == kind::accept && result_ >= 0) ::close(static_cast<int>(result_));
  if (keeps_) t_.on->drop_reference();
}

core::homed& transfer_arm::home() noexcept { return *t_.on; }

/// At home. False: not now.
bool transfer_arm::try_now() noexcept {
  const std::int64_t n = try_once(t_);
  if (n == -EAGAIN) return false;
  // A close elsewhere shuts the descriptor down before it gets here: that is no end of the stream.
  result_ = n <= 0 && t_.on->closed() ? was_closed : n;
  io::end_turn(t_.on->io, direction_of(t_.what));
  return true;
}

bool transfer_arm::attempt(performer& p) noexcept {
  // try_perform() comes without a worker: then the thread's own counts.
  core::worker* const w = p.worker() ? p.worker() : core::worker::current();
  if (!w) return false;
  homed_socket& s = *t_.on;
  if (!s.is_at(*w)) {
    if (!s.settle(*w)) return s.closed();  // a crewmate's: to be had there
    if (!s.is_at(*w)) {                    // another runtime's
      result_ = -EBUSY;
      return true;
    }
  }
  if (s.closed()) return true;  // whoever closes it from now on sees its home
  if (const int error = s.use(*w)) {
    result_ = error;
    return true;
  }
  if (!io::look(s.io, direction_of(t_.what)) && takes(t_.what)) return false;
  return try_now();
}

core::pass transfer_arm::publish(performer& p, std::uint32_t index) {
  if (!p.worker()) throw std::logic_error("weft: an operation on a descriptor outside a task");
  if (!keeps_) t_.on->add_reference();
  keeps_ = true;
  record_.owner = &p.task();
  record_.arm = index;
  io::await(t_.on->io, direction_of(t_.what), record_);
  return core::pass::wait;
}

bool transfer_arm::confirm(performer& p) noexcept {
  homed_socket& s = *t_.on;
  if (p.task().closed || s.closed()) return true;
  io::begin_turn(s.io, direction_of(t_.what));
  return try_now();
}

void end_socket::operator()(homed_socket* s) const noexcept {
  s->close();
  s->drop_reference();
}

homed_socket* adopt_descriptor(int fd, bool owned) {
  auto* const s = new (std::nothrow) homed_socket(fd, owned);
  if (s) return s;
  if (owned) ::close(fd);
  throw std::bad_alloc();
}

void close_socket(homed_socket& s) noexcept { s.close(); }
bool is_closed(const homed_socket& s) noexcept { return s.closed(); }

std::error_code to_error_code(std::int64_t error) noexcept {
  switch (error) {
    case was_closed: return errc::closed;
    case -core::error_name_unknown: return errc::name_unknown;
    case -core::error_name_again: return errc::name_again;
    case -core::error_name_failed: return errc::name_failed;
    default: return {static_cast<int>(-error), std::system_category()};
  }
}

}  // namespace weft::inline v0::detail
