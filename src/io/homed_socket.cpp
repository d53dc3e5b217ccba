// SPDX-License-Identifier: MIT
#include "io/homed_socket.hpp"

namespace weft::inline v0::detail {

using core::direction;

// No wake: a message, which runs as soon as it has arrived.
const core::task_kind homed_socket::kind_table = {"close", homed_socket::run, nullptr};

homed_socket::homed_socket(int fd, bool owned) noexcept
    : core::task(kind_table), fd_(fd), owned_(owned) {
  io.fd = fd;
}

void homed_socket::drop_reference() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void homed_socket::close() noexcept {
  if (closing_.exchange(true, std::memory_order_acq_rel)) return;
  core::worker* const here = core::worker::current();
  if (here && settle(*here) && is_at(*here)) return end();
  if (owned_) ::shutdown(fd_, SHUT_RDWR);  // the peer need not wait for the home
  add_reference();
  if (post_home(*this)) return;
  end();
  drop_reference();
}

/// At home, or without one.
void homed_socket::end() noexcept {
  if (owned_)
    io::close(io);
  else
    io::release(io);
}

void homed_socket::run(core::task& t, core::worker&) {
  auto& s = static_cast<homed_socket&>(t);
  s.end();
  s.drop_reference();
}

bool homed_socket::let_go() noexcept {
  for (const direction d : {direction::in, direction::out})
    if (!io.waiters(d).empty() || io.woken[static_cast<int>(d)] != 0) return false;
  if (io.attached) io.at->io().detach(io);
  return true;
}

}  // namespace weft::inline v0::detail
