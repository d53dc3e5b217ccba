// SPDX-License-Identifier: MIT
// socket: a descriptor on a worker. It may outlive the run that made it: the reactor of a worker
// that ends lets go of it, and it is attached to the next one at its first use there.
//
// Whoever may try does so first, and waits only after EAGAIN. Nobody passes one that waits, nor one
// that has been woken and has not tried yet: may_try() for a new performer, begin_turn() for a
// woken one, and end_turn() after a try that succeeded, since one event wakes one.
#pragma once

#include <cstdint>

#include "io/address.hpp"
#include "reactor/syscalls.hpp"
#include "weft/config.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::io {

struct socket : core::descriptor {
  core::worker* at = nullptr;    // where it is attached; to be read only while it is
  std::uint32_t polls_seen = 0;  // for look(): the worker's counts at the last one
  std::uint32_t runs_seen = 0;

  bool closed() const noexcept { return fd < 0; }
};

/// Attaches to w. 0 or -errno; -EBUSY if it is attached to another worker.
WEFT_API int attach(socket& s, core::worker& w) noexcept;

/// Before everything else that is done with a socket in a run.
inline int use(socket& s, core::worker& w) noexcept {
  if (s.attached && s.at == &w) [[likely]]
    return 0;
  return attach(s, w);
}

inline bool may_try(socket& s, core::direction d) noexcept {
  return s.is_ready(d) && s.woken[static_cast<int>(d)] == 0 && s.waiters(d).empty();
}
/// may_try() for one who may come back without ever having waited, as a choice does that another
/// arm wins each time: while nobody waits the worker does not poll, and the mark would stay as it
/// is.
WEFT_API bool look_again(socket& s, core::direction d) noexcept;
inline bool look(socket& s, core::direction d) noexcept {
  return may_try(s, d) || look_again(s, d);
}
inline void begin_turn(socket& s, core::direction d) noexcept {
  if (s.woken[static_cast<int>(d)] > 0) --s.woken[static_cast<int>(d)];
}
inline void end_turn(socket& s, core::direction d) noexcept {
  if (s.is_ready(d) && !s.waiters(d).empty()) core::pass_on(s, d);
}
inline void await(socket& s, core::direction d, core::wait_record& r) noexcept {
  s.at->io().await(s, d, r);
}

/// Wakes all who wait, as closed; detaches and closes the descriptor. Harmless when closed.
WEFT_API void close(socket& s) noexcept;
/// The same but for the descriptor, which is the caller's from now on.
WEFT_API int release(socket& s) noexcept;

struct listen_options {
  int backlog = 4096;
  bool reuse_port = false;
  bool v6only = false;
};

/// A new socket that listens: its descriptor, or -errno.
WEFT_API int listen(const address& a, const listen_options& o) noexcept;

/// A connection's descriptor, non-blocking, with TCP_NODELAY; -EAGAIN (the mark is cleared), or
/// -errno.
WEFT_API int accept(socket& listener) noexcept;

WEFT_API void set_nodelay(int fd, bool on) noexcept;

}  // namespace weft::inline v0::io
