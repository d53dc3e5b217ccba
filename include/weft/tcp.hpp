// SPDX-License-Identifier: MIT
// TCP: tcp_listener, tcp_stream.
//
// A socket belongs to the worker that performs on it first (its home). With several workers, a task
// that performs on a socket of another worker moves to that worker for it, and goes on there; when
// eight performs in a row have come from elsewhere, and nobody waits on the socket, it goes home
// with the last of them. A choice of several sockets brings those that nobody else waits for
// together, and throws std::logic_error if tasks wait for them on different workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "weft/address.hpp"
#include "weft/buffer.hpp"
#include "weft/byte_stream.hpp"
#include "weft/config.hpp"
#include "weft/operation.hpp"
#include "weft/result.hpp"
#include "weft/task.hpp"
#include "weft/transfer.hpp"

namespace weft::inline v0 {

class tcp_stream;

struct connect_options {
  connect_options() noexcept {}
  /// Sends small writes at once (TCP_NODELAY).
  bool nodelay = true;
};

struct listen_options {
  listen_options() noexcept {}
  /// How many connections the kernel keeps until they are accepted.
  int backlog = 4096;
  /// Several listeners may share the port (SO_REUSEPORT).
  bool reuse_port = false;
  /// For "::": not IPv4 as well.
  bool v6only = false;
};

namespace io {
class opening;
}

namespace detail {

/// What an opening needs, kept by the operation.
struct opening_recipe {
  std::string host;
  std::uint16_t port = 0;
  bool listens = false;
  connect_options connect;
  listen_options listen;

  opening_recipe(std::string h, std::uint16_t p, const connect_options& o) noexcept
      : host(std::move(h)), port(p), connect(o) {}
  opening_recipe(std::string h, std::uint16_t p, const listen_options& o) noexcept
      : host(std::move(h)), port(p), listens(true), listen(o) {}
};

/// Connects or binds. It runs on the worker that it was begun on, and so does who waits for it.
class WEFT_API opening_arm {
 public:
  static constexpr bool home_only = false;
  static constexpr bool resident = true;

  explicit opening_arm(const opening_recipe& r) : recipe_(r) {}
  explicit opening_arm(opening_recipe&& r) noexcept : recipe_(std::move(r)) {}
  opening_arm(const opening_arm&) = delete;
  opening_arm& operator=(const opening_arm&) = delete;
  ~opening_arm() { abandon(); }

  template <class F>
  void each_home(F&) noexcept {}
  bool attempt(performer& p);
  core::pass publish(performer& p, std::uint32_t index);
  bool confirm(performer&) noexcept { return true; }
  void retract(performer&) noexcept {
    if (record_.linked()) record_.unlink();
  }
  void decide(std::uint32_t) noexcept {}
  void lose(performer&) noexcept { abandon(); }
  std::uint32_t leaves() const noexcept { return 1; }

 protected:
  /// The descriptor, or an error.
  int take() noexcept;

 private:
  void abandon() noexcept;

  opening_recipe recipe_;
  io::opening* opening_ = nullptr;
  core::wait_record record_;
};

}  // namespace detail

/// What tcp_stream::connect_op and tcp_listener::bind give. One that has lost or was cancelled
/// has closed its socket.
template <class T>
class [[nodiscard]] opening_operation : public operation<opening_operation<T>> {
 public:
  using result_type = result<T>;
  static constexpr bool shared = false;
  static constexpr const char* what = "connection";

  class arm : public detail::opening_arm {
   public:
    explicit arm(const opening_operation& op) : detail::opening_arm(op.recipe_) {}
    explicit arm(opening_operation&& op) noexcept : detail::opening_arm(std::move(op.recipe_)) {}
    result<T> settle(performer&) {
      const int fd = take();
      if (fd < 0) return detail::to_error_code(fd);
      return T(detail::socket_owner(detail::adopt_descriptor(fd, true)));
    }
  };

  explicit opening_operation(detail::opening_recipe recipe) noexcept : recipe_(std::move(recipe)) {}

 private:
  detail::opening_recipe recipe_;
};

namespace detail {

/// What streams and listeners have in common.
class WEFT_API tcp_socket {
 public:
  explicit tcp_socket(socket_owner s) noexcept : socket_(std::move(s)) {}

  /// Closes it; whoever waits on it gets errc::closed. On another worker than its home the peer
  /// sees the end at once, and the descriptor goes soon. Harmless when it is closed. The end of the
  /// object does it too.
  void close() noexcept { close_socket(*socket_); }
  bool closed() const noexcept { return is_closed(*socket_); }
  /// Its own end. Errors: errc::closed.
  result<weft::address> address() const noexcept;

 protected:
  homed_socket& socket() const noexcept { return *socket_; }

 private:
  socket_owner socket_;
};

}  // namespace detail

/// Which half of a connection.
enum class half : std::uint8_t { in = 1, out = 2, both = 3 };

/// A connection. Move-only; one task may read while another writes. Buffers are the caller's
/// (buffer.hpp): they live until the operation is decided, and are touched by nobody afterwards.
class WEFT_API tcp_stream : public detail::tcp_socket {
 public:
  using detail::tcp_socket::tcp_socket;

  /// `co_await tcp_stream::connect(host, port)`: tries the addresses of the name one after the
  /// other; a numeric host is not looked up. Errors: those of resolve(), and the system's
  /// (connection_refused, ...) for the last address. An operation: give it a timeout().
  static opening_operation<tcp_stream> connect(std::string host, std::uint16_t port,
                                               const connect_options& o = connect_options()) {
    return opening_operation<tcp_stream>(detail::opening_recipe(std::move(host), port, o));
  }
  static opening_operation<tcp_stream> connect_op(std::string host, std::uint16_t port,
                                                  const connect_options& o = connect_options()) {
    return connect(std::move(host), port, o);
  }

  /// Waits for bytes and takes what is there, at most to.size(): how many; 0 at the end of the
  /// connection (and for an empty `to`). Errors: errc::closed; the system's (connection_reset).
  transfer_operation<std::size_t> read_some(mutable_buffer to) const noexcept {
    using detail::transfer;
    return transfer_operation<std::size_t>(
        transfer(socket(), transfer::kind::read, to.data(), to.size()));
  }
  transfer_operation<std::size_t> read_some_op(mutable_buffer to) const noexcept {
    return read_some(to);
  }

  /// Waits for room and gives the kernel what it takes: how many bytes, at least 1 unless `from` is
  /// empty. Errors: errc::closed; the system's (broken_pipe, connection_reset).
  transfer_operation<std::size_t> write_some(const_buffer from) const noexcept {
    using detail::transfer;
    // What is written is not changed: the pointer is common to both ways.
    void* const data = const_cast<std::byte*>(from.data());
    return transfer_operation<std::size_t>(
        transfer(socket(), transfer::kind::write, data, from.size()));
  }
  transfer_operation<std::size_t> write_some_op(const_buffer from) const noexcept {
    return write_some(from);
  }

  /// `co_await s.write_all(bytes)`: all of them. No operation, since it cannot be taken back: after
  /// an error or a cancellation some may have gone.
  task<result<void>> write_all(const_buffer bytes) { return weft::write_all(*this, bytes); }

  /// Ends a half: the peer reads the end after what was written; reads here give 0. Never waits.
  result<void> shutdown(half which) noexcept;
  /// The other end. Errors: errc::closed, not_connected.
  result<weft::address> peer_address() const noexcept;
};

/// Takes connections. Move-only; several tasks may accept, and all do so at its home. To accept on
/// each worker: a listener each, with listen_options::reuse_port.
class WEFT_API tcp_listener : public detail::tcp_socket {
 public:
  using detail::tcp_socket::tcp_socket;

  /// `co_await tcp_listener::bind(host, port)`: port 0 lets the system choose one, see address().
  /// Waits only to look a name up. Errors: those of resolve(), and the system's
  /// (address_in_use, ...).
  static opening_operation<tcp_listener> bind(std::string host, std::uint16_t port,
                                              const listen_options& o = listen_options()) {
    return opening_operation<tcp_listener>(detail::opening_recipe(std::move(host), port, o));
  }

  /// Waits for a connection. One that has lost leaves it to the next. Errors: errc::closed; the
  /// system's (too_many_files_open).
  transfer_operation<tcp_stream> accept() const noexcept {
    using detail::transfer;
    return transfer_operation<tcp_stream>(transfer(socket(), transfer::kind::accept));
  }
  transfer_operation<tcp_stream> accept_op() const noexcept { return accept(); }
};

namespace detail {
template <>
struct transferred<tcp_stream> {
  static result<tcp_stream> of(std::int64_t fd) {
    return tcp_stream(socket_owner(adopt_descriptor(static_cast<int>(fd), true)));
  }
};
}  // namespace detail

}  // namespace weft::inline v0
