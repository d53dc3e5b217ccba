// SPDX-License-Identifier: MIT
// weft.pollable: the readiness of any descriptor as operations. What is ready is asked of the
// kernel at each try, so it is a level: nobody's earlier read or write makes it wrong.
//
// It stands for a descriptor of somebody else's, also that of a Lua file, with what stdio has read
// ahead; or for a stream, listener or socket, whose own registration it shares.
#include <climits>
#include <new>
#include <utility>

#include "io/stream.hpp"
#include "io/watched.hpp"
#include "lua/file.hpp"
#include "lua/operation.hpp"
#include "lua/socket.hpp"
#include "lua/wait.hpp"

namespace weft::inline v0::lua {

void open_pollables(lua_State* L);

namespace {

using core::direction;

/// Reference 1: the object that `own`, `stream` or `file` is in; 2 and 3: its operations.
struct pollable {
  io::watched other;          // somebody else's descriptor,
  io::socket* own = nullptr;  // or that of an object of ours
  io::stream* stream = nullptr;
  const lua_file* file = nullptr;
  int refused = 0;  // why the wait of `refused_to` could not begin: -errno
  const fiber* refused_to = nullptr;
  bool closed = false;

  io::socket& socket() noexcept { return own ? *own : other.copy; }
  bool is_over() const noexcept {
    return closed || (own && own->closed()) || (file && !is_open(*file));
  }
};

pollable& check(lua_State* L, const char* method) {
  auto* p = static_cast<pollable*>(userdata_of(L, state_of(L), 1, anchor_pollable_mt));
  if (!p) bad_argument(L, method, 1, "pollable");
  return *p;
}
pollable& check_open(lua_State* L, const char* method) {
  pollable& p = check(L, method);
  if (p.closed) raise(L, "'%s' of a closed pollable", method);
  return p;
}

constexpr int operation_reference(direction d) { return d == direction::in ? 2 : 3; }

struct readiness_operation : operation {
  pollable* on;  // reference 1
  direction dir;

  static readiness_operation& of(operation& o) { return static_cast<readiness_operation&>(o); }
};

/// An earlier write is not done: the kernel's readiness is the stream's then.
bool is_held_up(const pollable& p, direction d) {
  return p.stream && d == direction::out && !io::can_write(*p.stream);
}

/// Of one that is not over: 1 ready, 0 not yet, or -errno.
int look(const pollable& p, direction d) {
  if (p.file && d == direction::in && bytes_ahead(*p.file) > 0) return 1;
  if (is_held_up(p, d)) return 0;
  return io::poll_now(p.own ? p.own->fd : p.other.fd, d);
}

int push_look(lua_State* L, pollable& p, direction d) {
  if (p.is_over()) return push_closed(L);
  const int n = look(p, d);
  if (n == 0) return not_ready;
  if (n < 0) return push_error(L, n);
  lua_pushboolean(L, 1);
  return 1;
}

bool readiness_ready(state&, fiber&, operation& op) {
  const readiness_operation& o = readiness_operation::of(op);
  return o.on->is_over() || look(*o.on, o.dir) != 0;
}
int readiness_attempt(lua_State* L, state&, fiber&, operation& op, int) {
  const readiness_operation& o = readiness_operation::of(op);
  return push_look(L, *o.on, o.dir);
}

/// Runs when the wait is over, however it ends. Its upvalue is the pollable.
int end_watch(lua_State* L) {
  io::end_watch(static_cast<pollable*>(lua_touserdata(L, lua_upvalueindex(1)))->other);
  return 0;
}

/// Registers, and sees to it that this ends with the wait: 0 or -errno.
int begin_watch(lua_State* L, state& s, fiber& f, pollable& p, int index) {
  get_reference(L, index, 1);
  lua_pushcclosure(L, end_watch, 1);
  add_done(L, f);
  return io::begin_watch(p.other, s.at());
}

int use_own(state& s, pollable& p) {
  return p.stream ? io::use(*p.stream, s.at()) : io::use(*p.own, s.at());
}

/// After a try that has found nothing: whatever comes after it is an event.
void clear_mark(pollable& p, direction d) {
  if (!is_held_up(p, d)) p.socket().set_ready(d, false);
}

void readiness_publish(lua_State* L, state& s, fiber& f, operation& op, core::wait_record& r,
                       int index) {
  const readiness_operation& o = readiness_operation::of(op);
  pollable& p = *o.on;
  const int error = p.own ? use_own(s, p) : begin_watch(L, s, f, p, index);
  if (error) {
    p.refused = error;
    p.refused_to = &f;
    f.complete_at_home(r.arm);
    return s.at().ready(f);
  }
  io::socket& on = p.socket();
  clear_mark(p, o.dir);
  io::await(on, o.dir, r);
}

int readiness_settle(lua_State* L, state&, fiber& f, operation& op, int) {
  const readiness_operation& o = readiness_operation::of(op);
  pollable& p = *o.on;
  if (f.closed) return push_closed(L);
  if (p.refused_to == &f) {
    p.refused_to = nullptr;
    return push_error(L, p.refused);
  }
  io::socket& on = p.socket();
  if (on.attached) io::begin_turn(on, o.dir);
  const int results = push_look(L, p, o.dir);
  if (!on.attached) return results;
  if (results == not_ready) clear_mark(p, o.dir);
  io::end_turn(on, o.dir);
  return results;
}

const operation_kind readiness_kind = {"a descriptor",
                                       readiness_ready,
                                       readiness_attempt,
                                       nullptr,
                                       readiness_settle,
                                       not_ready,
                                       false,
                                       false,
                                       false,
                                       false,
                                       readiness_publish};

// ---- the object ----

pollable& new_pollable(lua_State* L) {
  auto* p = ::new (new_userdata(L, sizeof(pollable), 3)) pollable();
  push_anchor(L, anchor_pollable_mt);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  return *p;
}

int push_for_descriptor(lua_State* L, int fd, const lua_file* file) {
  if (io::poll_now(fd, direction::in) < 0) return push_error(L, -EBADF);
  pollable& p = new_pollable(L);
  p.other.fd = fd;
  p.file = file;
  return 1;
}

int check_descriptor(lua_State* L) {
  const lua_Number n = lua_tonumber(L, 1);
  if (!(n >= 0 && n <= INT_MAX) || n != static_cast<int>(n))
    raise(L, "bad argument #1 to 'pollable' (a descriptor expected, got %f)", n);
  return static_cast<int>(n);
}

io::socket* own_socket_at(lua_State* L, state& s) {
  if (void* p = userdata_of(L, s, 1, anchor_stream_mt)) return static_cast<io::stream*>(p);
  if (void* p = userdata_of(L, s, 1, anchor_listener_mt)) return static_cast<listener*>(p);
  return static_cast<raw_socket*>(userdata_of(L, s, 1, anchor_socket_mt));
}

/// pollable(descriptor | Lua file | stream | listener | socket) -> pollable; nil, message, code.
/// false: something else.
int push_pollable(lua_State* L) {
  state& s = state_of(L);
  if (lua_type(L, 1) == LUA_TNUMBER) return push_for_descriptor(L, check_descriptor(L), nullptr);
  if (const lua_file* file = file_at(L, 1)) {
    if (!is_open(*file)) return push_closed(L);
    return push_for_descriptor(L, descriptor_of(*file), file);
  }
  io::socket* own = own_socket_at(L, s);
  if (!own) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (own->closed()) return push_closed(L);
  io::stream* const stream = static_cast<io::stream*>(userdata_of(L, s, 1, anchor_stream_mt));
  pollable& p = new_pollable(L);
  p.own = own;
  p.stream = stream;
  return 1;
}

template <direction d>
int push_operation(lua_State* L) {
  state& s = state_of(L);
  pollable& p = check_open(L, d == direction::in ? "readable_op" : "writable_op");
  get_reference(L, 1, operation_reference(d));
  if (!lua_isnil(L, -1)) return 1;
  auto& o = new_operation<readiness_operation>(L, s, readiness_kind, 1);
  o.on = &p;
  o.dir = d;
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  lua_pushvalue(L, -1);
  set_reference(L, 1, operation_reference(d));
  return 1;
}

void close(pollable& p) noexcept {
  if (std::exchange(p.closed, true)) return;
  if (!p.own)
    io::close(p.other.copy);
  else if (!p.own->closed())
    io::rouse(*p.own);
}

int pollable_close(lua_State* L) {
  close(check_open(L, "close"));
  lua_pushboolean(L, 1);
  return 1;
}
int pollable_end(lua_State* L) {
  close(check(L, "close"));
  return 0;
}
int pollable_gc(lua_State* L) {
  io::close(static_cast<pollable*>(lua_touserdata(L, 1))->other.copy);
  return 0;
}
int pollable_closed(lua_State* L) {
  lua_pushboolean(L, check(L, "closed").is_over());
  return 1;
}
int pollable_getfd(lua_State* L) {
  const pollable& p = check(L, "getfd");
  if (p.is_over()) return push_closed(L);
  lua_pushinteger(L, p.own ? p.own->fd : p.other.fd);
  return 1;
}
int pollable_tostring(lua_State* L) {
  const pollable& p = check(L, "tostring");
  if (p.is_over())
    lua_pushliteral(L, "weft.pollable: closed");
  else
    lua_pushfstring(L, "weft.pollable: descriptor %d", p.own ? p.own->fd : p.other.fd);
  return 1;
}

const luaL_Reg methods[] = {{"readable_op", push_operation<direction::in>},
                            {"writable_op", push_operation<direction::out>},
                            {"close", pollable_close},
                            {"closed", pollable_closed},
                            {"getfd", pollable_getfd},
                            {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__tostring", pollable_tostring},
                                {"__gc", pollable_gc},
                                {"__close", pollable_end},
                                {nullptr, nullptr}};
const luaL_Reg functions[] = {{"pollable", push_pollable}, {nullptr, nullptr}};

}  // namespace

void open_pollables(lua_State* L) {
  add_type(L, anchor_pollable_mt, "weft.pollable", methods, metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
