// SPDX-License-Identifier: MIT
// stream: a connected socket. It holds no buffer while it is idle.
//
// Reading belongs to the performer: it reads in its own context when it may try, so a wait that
// lost has taken nothing.
//
// Writing: a write commits when the stream takes charge of all of it, which it does only while
// nothing of an earlier write is left. What the kernel does not take at once is copied into an
// outbox, which is a callback task of its own and sends in the background. The outbox exists while
// it has bytes, or while writers wait for it; those are first in first out, and one at a time has
// the turn.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "io/socket.hpp"
#include "weft/config.hpp"
#include "weft/core/scope.hpp"

namespace weft::inline v0::io {

class outbox;

struct stream : socket {
  outbox* out = nullptr;
  int broken = 0;         // the error that has ended sending: -errno
  bool shut_out = false;  // shutdown("w"): nothing more is taken; done once the outbox is empty
};

/// Before everything else that is done with a stream in a run: an outbox goes on where it stood.
WEFT_API int attach_stream(stream& s, core::worker& w) noexcept;
inline int use(stream& s, core::worker& w) noexcept {
  if (s.attached && s.at == &w) [[likely]]
    return 0;
  return attach_stream(s, w);
}

/// Bytes read (0: the end), -EAGAIN, or -errno. After less than was asked for, the kernel has no
/// more: it tells of the next byte, so the mark is cleared and no try is wasted. Not after a
/// hang-up, which is told but once.
inline std::int64_t read_some(socket& s, void* to, std::size_t size) noexcept {
  const std::int64_t n = sys::recv(s.fd, to, size);
  if (n == static_cast<std::int64_t>(size)) return n;
  if (n == -EAGAIN || (n > 0 && !s.hung_up)) s.set_ready(core::direction::in, false);
  return n;
}

/// This thread's buffer for one read, or null: not enough memory. Not to be kept across a
/// suspension.
inline constexpr std::size_t scratch_size = 65536;
WEFT_API char* scratch() noexcept;

enum class written : std::uint8_t {
  sent,    // all of it
  kept,    // the stream has taken charge of it, and sends
  wait,    // nothing was taken: an earlier write is not done, or somebody waits already
  failed,  // write_error() tells
};

inline int write_error(const stream& s) noexcept { return s.broken ? s.broken : -EPIPE; }

/// What is on the way of a write of which something could be left. had_turn: woken from await_turn.
WEFT_API written write_slowly(stream& s, const char* data, std::size_t size,
                              bool had_turn) noexcept;

/// s has been used on its worker.
inline written write(stream& s, const char* data, std::size_t size) noexcept {
  if (s.out || s.broken || s.shut_out || !s.is_ready(core::direction::out) || size == 0)
    return write_slowly(s, data, size, false);
  const std::int64_t n = sys::send(s.fd, data, size);
  if (n == static_cast<std::int64_t>(size)) [[likely]]
    return written::sent;
  if (n < 0) return write_slowly(s, data, size, false);
  return write_slowly(s, data + n, size - static_cast<std::size_t>(n), false);
}

/// Whether a write would not wait.
WEFT_API bool can_write(const stream& s) noexcept;
/// After `wait`: r's owner is completed when it may write, with the turn.
WEFT_API void await_turn(stream& s, core::wait_record& r) noexcept;
/// After `kept`: r's owner is completed when all has been sent; with arm + 1 if the connection
/// broke.
WEFT_API void await_sent(stream& s, core::wait_record& r) noexcept;

enum class half : std::uint8_t { in = 1, out = 2, both = 3 };

/// 0 or -errno. The end of sending comes after what is still to be sent.
WEFT_API int shutdown(stream& s, half which) noexcept;

/// Wakes all who wait, as closed. What is still to be sent is, in the background, and keeps the
/// scope (of the worker that s is attached to) open meanwhile: until the peer has taken it, is
/// gone, or has taken nothing for 30 s, or the scope is cancelled; then the connection is reset, so
/// that the peer does not mistake it for a whole one. Without a worker it is sent in the
/// foreground, with a limit of 5 s.
WEFT_API void close(stream& s, core::scope* keeps_open) noexcept;

/// The same, for a finalizer: it never waits.
WEFT_API void drop(stream& s, core::scope* keeps_open) noexcept;

}  // namespace weft::inline v0::io
