// SPDX-License-Identifier: MIT
// watched: a descriptor of somebody else's, whose readiness is waited for. It is never closed here.
//
// While somebody waits, a duplicate of it is registered: so the same file may be watched many times
// over, beside a socket of our own too, and whoever closes the original, or opens another file of
// the same number, cannot confuse the reactor. The duplicate goes with the last who waits, so that
// a close elsewhere ends the connection as soon as nobody does.
#pragma once

#include "io/socket.hpp"
#include "weft/config.hpp"

namespace weft::inline v0::io {

struct watched {
  int fd = -1;
  unsigned waiting = 0;  // begin_watch() without its end_watch()
  socket copy;
};

/// Whether a try would not wait now: 1, or 0, or -EBADF. A hang-up and an error are ready.
WEFT_API int poll_now(int fd, core::direction d) noexcept;

/// One more waits, on w: 0, or -errno. Counts also when it fails.
WEFT_API int begin_watch(watched& o, core::worker& w) noexcept;
/// One less does.
WEFT_API void end_watch(watched& o) noexcept;

/// Wakes all who wait on a socket, so that they try once more.
WEFT_API void rouse(socket& s) noexcept;

}  // namespace weft::inline v0::io
