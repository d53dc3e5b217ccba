// SPDX-License-Identifier: MIT
// Blocking outside the gate. Nothing of the reactor is touched meanwhile, and no event is fetched:
// whoever is inside may close what an event is about.
#include "reactor/syscalls.hpp"
#include "weft/core/reactor.hpp"

namespace weft::inline v0::core {

void reactor::block(nanoseconds timeout, gate& outside_of) noexcept {
  constexpr nanoseconds pause = 10'000'000;
  const int fd = watch_fd();
  if (fd < 0 && timeout > pause) timeout = pause;  // no memory for one: as if interrupted
  outside_of.leave();
  sys::wait_readable(fd, timeout);
  outside_of.enter();
}

}  // namespace weft::inline v0::core
