// SPDX-License-Identifier: MIT
// What a socket may wait for, as operations: one kind, and an action that tries. It is tried in the
// performer, so one that has lost has taken or sent nothing.
#include <climits>

#include "io/endpoint.hpp"
#include "io/stream.hpp"
#include "io/watched.hpp"
#include "lua/buffer.hpp"
#include "lua/endpoint.hpp"
#include "lua/operation.hpp"
#include "lua/socket.hpp"
#include "lua/wait.hpp"

namespace weft::inline v0::lua {

namespace {

using core::direction;

struct socket_operation;

struct socket_action {
  direction dir;
  /// Pushes the results: their number; or not_ready, with the mark of the direction cleared.
  int (*attempt)(lua_State* L, raw_socket& s, socket_operation& o, int index);
  bool begins = false;  // there is something to try before there is anything to wait for
};

/// References: 1 the socket, 2 the bytes to send.
struct socket_operation : operation {
  raw_socket* on;
  const socket_action* action;
  std::size_t max;  // bytes to receive
  io::endpoint to;

  static socket_operation& of(operation& o) { return static_cast<socket_operation&>(o); }
};

int push_result(lua_State* L, raw_socket& s, direction d, std::int64_t n) {
  if (n == -EAGAIN) {
    s.set_ready(d, false);
    return not_ready;
  }
  io::end_turn(s, d);
  if (n < 0) return push_error(L, static_cast<int>(n));
  lua_pushinteger(L, static_cast<lua_Integer>(n));
  return 1;
}

const char* kept_bytes(lua_State* L, int index, std::size_t& size) {
  get_reference(L, index, 2);
  const char* bytes = bytes_at(L, state_of(L), -1, size);
  lua_pop(L, 1);  // the operation keeps it
  return bytes;
}

int try_send(lua_State* L, raw_socket& s, socket_operation&, int index) {
  std::size_t size;
  const char* bytes = kept_bytes(L, index, size);
  return push_result(L, s, direction::out, sys::send(s.fd, bytes, size));
}

int try_sendto(lua_State* L, raw_socket& s, socket_operation& o, int index) {
  std::size_t size;
  const char* bytes = kept_bytes(L, index, size);
  const std::int64_t n =
      sys::retry([&] { return ::sendto(s.fd, bytes, size, MSG_NOSIGNAL, &o.to.any, o.to.size); });
  // The queue of another's path is full: nothing tells when it is not.
  if (n == -EAGAIN && o.to.is_path()) return push_error(L, -EAGAIN);
  return push_result(L, s, direction::out, n);
}

int push_received(lua_State* L, raw_socket& s, const char* bytes, std::int64_t n) {
  if (n < 0) return push_result(L, s, direction::in, n);
  io::end_turn(s, direction::in);
  if (n == 0 && !s.datagram)
    lua_pushnil(L);
  else
    lua_pushlstring(L, bytes, static_cast<std::size_t>(n));
  return 1;
}

int try_recv(lua_State* L, raw_socket& s, socket_operation& o, int) {
  char* bytes = io::scratch();
  if (!bytes) return push_error(L, -ENOMEM);
  return push_received(L, s, bytes, sys::recv(s.fd, bytes, o.max));
}

int try_recvfrom(lua_State* L, raw_socket& s, socket_operation& o, int) {
  char* bytes = io::scratch();
  if (!bytes) return push_error(L, -ENOMEM);
  io::endpoint from;
  const std::int64_t n = sys::retry([&] {
    from.size = sizeof from.un;
    return ::recvfrom(s.fd, bytes, o.max, 0, &from.any, &from.size);
  });
  const int results = push_received(L, s, bytes, n);
  if (n < 0 || from.size == 0) return results;  // connected: the sender is known
  return results + push_endpoint(L, from);
}

/// The socket is there before the connection is, since making it may raise.
int try_accept(lua_State* L, raw_socket& s, socket_operation&, int) {
  raw_socket& accepted = new_socket(L);
  accepted.family = s.family;
  const int fd = io::accept(s);
  if (fd < 0) {
    lua_pop(L, 1);
    return push_result(L, s, direction::in, fd);
  }
  io::end_turn(s, direction::in);
  accepted.fd = fd;
  return 1;
}

/// Begins, or looks how far it is; s.connecting while it goes on. 0 or -errno.
int go_on_connecting(raw_socket& s, const io::endpoint& to) {
  if (s.connecting) {
    if (!sys::is_ready(s.fd, POLLOUT)) return 0;
    s.connecting = false;
    return sys::socket_error(s.fd);
  }
  s.hung_up = false;  // epoll calls a socket that has not connected yet hung up
  const int error = sys::connect(s.fd, &to.any, to.size);
  s.connecting = error == -EINPROGRESS;
  return s.connecting ? 0 : error;
}

int try_connect(lua_State* L, raw_socket& s, socket_operation& o, int) {
  const int error = go_on_connecting(s, o.to);
  if (s.connecting) {
    s.set_ready(direction::out, false);
    return not_ready;
  }
  io::end_turn(s, direction::out);
  if (error) return push_error(L, error);
  lua_pushboolean(L, 1);
  return 1;
}

constexpr socket_action sending = {direction::out, try_send};
constexpr socket_action sending_to = {direction::out, try_sendto};
constexpr socket_action receiving = {direction::in, try_recv};
constexpr socket_action receiving_from = {direction::in, try_recvfrom};
constexpr socket_action accepting = {direction::in, try_accept};
constexpr socket_action connecting = {direction::out, try_connect, true};

/// Unlike may_try() it knows of what has come while nobody waited, so that an or_else is exact.
bool can_try(raw_socket& s, direction d) {
  if (!s.is_ready(d)) s.set_ready(d, io::poll_now(s.fd, d) != 0);
  return io::may_try(s, d);
}

bool socket_ready(state& s, fiber&, operation& op) {
  socket_operation& o = socket_operation::of(op);
  raw_socket& on = *o.on;
  if (on.closed() || use(on, s.at()) != 0) return true;
  return (o.action->begins && !on.connecting) || can_try(on, o.action->dir);
}
int socket_attempt(lua_State* L, state& s, fiber&, operation& op, int index) {
  socket_operation& o = socket_operation::of(op);
  if (o.on->closed()) return push_closed(L);
  if (const int error = use(*o.on, s.at())) return push_error(L, error);
  return o.action->attempt(L, *o.on, o, index);
}
void socket_publish(state&, fiber&, operation& op, core::wait_record& r) {
  socket_operation& o = socket_operation::of(op);
  io::await(*o.on, o.action->dir, r);
}
int socket_settle(lua_State* L, state&, fiber& f, operation& op, int index) {
  socket_operation& o = socket_operation::of(op);
  if (f.closed || o.on->closed()) return push_closed(L);
  io::begin_turn(*o.on, o.action->dir);
  return o.action->attempt(L, *o.on, o, index);
}
const operation_kind socket_kind = {"a socket", socket_ready, socket_attempt, socket_publish,
                                    socket_settle};

raw_socket& check_socket(lua_State* L, const char* method) {
  return check_open<raw_socket>(L, state_of(L), method);
}

/// For the socket at 1; on top.
socket_operation& new_socket_operation(lua_State* L, raw_socket& on, const socket_action& action) {
  auto& o = new_operation<socket_operation>(L, state_of(L), socket_kind, 2);
  o.on = &on;
  o.action = &action;
  o.max = io::scratch_size;
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  return o;
}

/// A number is a string, as in io.write.
void check_bytes(lua_State* L, const char* method) {
  std::size_t size;
  if (!bytes_at(L, state_of(L), 2, size)) bad_argument(L, method, 2, "string or buffer", 1);
  fix_bytes(L, state_of(L), 2);
}
void keep_bytes(lua_State* L) {
  lua_pushvalue(L, 2);
  set_reference(L, -2, 2);
}

int receive_op(lua_State* L, const char* method, const socket_action& action) {
  raw_socket& s = check_socket(L, method);
  std::size_t max = io::scratch_size;
  if (!lua_isnoneornil(L, 2)) {
    if (lua_type(L, 2) != LUA_TNUMBER) bad_argument(L, method, 2, "number", 1);
    const lua_Number asked = lua_tonumber(L, 2);
    if (!(asked >= 1)) raise(L, "bad argument #1 to '%s' (at least 1 expected)", method);
    if (asked < static_cast<lua_Number>(max)) max = static_cast<std::size_t>(asked);
  }
  new_socket_operation(L, s, action).max = max;
  return 1;
}

}  // namespace

int socket_recv_op(lua_State* L) { return receive_op(L, "recv", receiving); }
int socket_recvfrom_op(lua_State* L) { return receive_op(L, "recvfrom", receiving_from); }

int socket_send_op(lua_State* L) {
  raw_socket& s = check_socket(L, "send");
  check_bytes(L, "send");
  new_socket_operation(L, s, sending);
  keep_bytes(L);
  return 1;
}

int socket_sendto_op(lua_State* L) {
  raw_socket& s = check_socket(L, "sendto");
  check_bytes(L, "sendto");
  const io::endpoint to = check_endpoint(L, "sendto", s.family, 3);
  new_socket_operation(L, s, sending_to).to = to;
  keep_bytes(L);
  return 1;
}

int socket_accept_op(lua_State* L) {
  new_socket_operation(L, check_socket(L, "accept"), accepting);
  return 1;
}

int socket_connect_op(lua_State* L) {
  raw_socket& s = check_socket(L, "connect");
  const io::endpoint to = check_endpoint(L, "connect", s.family, 2);
  new_socket_operation(L, s, connecting).to = to;
  return 1;
}

}  // namespace weft::inline v0::lua
