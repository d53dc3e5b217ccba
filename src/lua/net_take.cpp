// SPDX-License-Identifier: MIT
// Reading and accepting: one pattern. The performer tries in its own context if it may, else it
// waits; what it was woken for it takes itself, so a wait that lost has taken nothing.
#include "lua/buffer.hpp"
#include "lua/net.hpp"
#include "lua/operation.hpp"
#include "lua/wait.hpp"

namespace weft::inline v0::lua {

namespace {

using core::direction;

struct reading {
  static constexpr const char* method = "read_some";
  static constexpr const char* waits_for = "to read from a stream";
  using object = io::stream;

  /// Pushes the results: their number, or not_ready.
  static int attempt(lua_State* L, state&, io::stream& st, std::size_t max) {
    char* bytes = io::scratch();
    if (!bytes) return push_error(L, -ENOMEM);
    const std::int64_t n = io::read_some(st, bytes, max);
    if (n == -EAGAIN) return not_ready;
    io::end_turn(st, direction::in);
    if (n < 0) return push_error(L, static_cast<int>(n));
    if (n == 0)
      lua_pushnil(L);
    else
      lua_pushlstring(L, bytes, static_cast<std::size_t>(n));
    return 1;
  }
  static std::size_t check_limit(lua_State* L, const char* name) {
    if (lua_isnoneornil(L, 2)) return io::scratch_size;
    if (lua_type(L, 2) != LUA_TNUMBER) bad_argument(L, name, 2, "number", 1);
    const lua_Number max = lua_tonumber(L, 2);
    if (!(max >= 1)) raise(L, "bad argument #1 to '%s' (at least 1 expected)", name);
    if (max >= static_cast<lua_Number>(io::scratch_size)) return io::scratch_size;
    const auto bytes = static_cast<std::size_t>(max);
    if (static_cast<lua_Number>(bytes) != max)
      raise(L, "bad argument #1 to '%s' (number has no integer representation)", name);
    return bytes;
  }
  /// Of arguments that have been checked.
  static std::size_t limit(lua_State* L) {
    if (lua_isnoneornil(L, 2)) return io::scratch_size;
    const lua_Number max = lua_tonumber(L, 2);
    return max >= static_cast<lua_Number>(io::scratch_size) ? io::scratch_size
                                                            : static_cast<std::size_t>(max);
  }
};

/// Into a buffer, which is argument 3.
struct reading_into : reading {
  static constexpr const char* method = "read_into";

  static int attempt(lua_State* L, state&, io::stream& st, std::size_t max) {
    auto& b = *static_cast<buffer*>(lua_touserdata(L, 3));
    char* const room = reserve(b, max);
    if (!room) return push_error(L, -ENOMEM);
    const std::int64_t n = io::read_some(st, room, max);
    if (n == -EAGAIN) return not_ready;
    io::end_turn(st, direction::in);
    if (n < 0) return push_error(L, static_cast<int>(n));
    if (n == 0) {
      lua_pushnil(L);
    } else {
      extend(b, static_cast<std::size_t>(n));
      lua_pushinteger(L, static_cast<lua_Integer>(n));
    }
    return 1;
  }
};

struct accepting {
  static constexpr const char* method = "accept";
  static constexpr const char* waits_for = "to accept a connection";
  using object = listener;

  /// The stream is there before the connection is, since making it may raise.
  static int attempt(lua_State* L, state&, listener& l, std::size_t) {
    io::stream& st = new_stream(L);
    const int fd = io::accept(l);
    if (fd == -EAGAIN) {
      lua_pop(L, 1);
      return not_ready;
    }
    io::end_turn(l, direction::in);
    if (fd < 0) return push_error(L, fd);
    st.fd = fd;
    return 1;
  }
  static std::size_t check_limit(lua_State*, const char*) { return 0; }
  static std::size_t limit(lua_State*) { return 0; }
};

#if LUA_VERSION_NUM >= 503
template <class What>
int woken(lua_State* L, int, lua_KContext s);
#else
template <class What>
int woken(lua_State* L);
#endif

/// Tries if it may, else waits.
template <class What>
int take(lua_State* L, state& s, fiber& f, typename What::object& o, std::size_t max, bool may) {
  if (const int error = use(o, s.at())) {
    push_status(L, true);
    return push_error(L, error) + statuses;
  }
  if (may || io::may_try(o, direction::in)) {
    push_status(L, true);
    const int results = What::attempt(L, s, o, max);
    if (results != not_ready) return spend(L, s, f, results + statuses);
    if constexpr (statuses > 0) lua_pop(L, statuses);
  }
  push_status(L, false);
  io::await(o, direction::in, begin_single(f));
  return park(L, s, f, What::waits_for, 0, woken<What>);
}

template <class What>
int take_now(lua_State* L) {
  state& s = state_of(L);
  auto& o = check_open<typename What::object>(L, s, What::method);
  const std::size_t max = What::check_limit(L, What::method);
  fiber& f = running_fiber(L, s, What::method);
  retract(f, s);
  if (f.cancel_pending) [[unlikely]]
    return raise_at_next_turn(L, s, f);
  return take<What>(L, s, f, o, max, false);
}

/// After the wake-up; the arguments are where they were. 5.1: called by the frame.
template <class What>
int take_again(lua_State* L, state& s) {
  fiber& f = *s.current;
  auto& o = *static_cast<typename What::object*>(lua_touserdata(L, 1));
  if (woken_by_close(L, s, f) || o.closed()) return closed_meanwhile(L);
  io::begin_turn(o, direction::in);
  return take<What>(L, s, f, o, What::limit(L), true);
}

#if LUA_VERSION_NUM >= 503
template <class What>
int woken(lua_State* L, int, lua_KContext s) {
  return take_again<What>(L, *reinterpret_cast<state*>(s));
}
#else
template <class What>
int woken(lua_State* L) {
  return take_again<What>(L, state_of(L));
}
#endif

// ---- their operations ----

template <class What>
struct take_operation : operation {
  typename What::object* from;  // reference 1
  std::size_t max;

  static take_operation& of(operation& o) { return static_cast<take_operation&>(o); }
  static bool ready(state& s, fiber&, operation& o) {
    auto& from = *of(o).from;
    return from.closed() || use(from, s.at()) != 0 || io::look(from, direction::in);
  }
  static int attempt(lua_State* L, state& s, fiber&, operation& o, int) {
    auto& from = *of(o).from;
    if (from.closed()) return push_closed(L);
    if (const int error = use(from, s.at())) return push_error(L, error);
    return What::attempt(L, s, from, of(o).max);
  }
  static void publish(state&, fiber&, operation& o, core::wait_record& r) {
    io::await(*of(o).from, direction::in, r);
  }
  static int settle(lua_State* L, state& s, fiber& f, operation& o, int) {
    auto& from = *of(o).from;
    if (f.closed || from.closed()) return push_closed(L);
    io::begin_turn(from, direction::in);
    return What::attempt(L, s, from, of(o).max);
  }
  static const operation_kind table;

  /// For the object at 1; on top.
  static void make(lua_State* L, state& s, typename What::object& from, std::size_t max) {
    auto& o = new_operation<take_operation>(L, s, table, 1);
    o.from = &from;
    o.max = max;
    lua_pushvalue(L, 1);
    set_reference(L, -2, 1);
  }
};
template <class What>
const operation_kind take_operation<What>::table = {What::waits_for, ready, attempt, publish,
                                                    settle};

}  // namespace

int closed_meanwhile(lua_State* L) {
  push_status(L, true);
  return push_closed(L) + statuses;
}

int stream_read(lua_State* L) { return take_now<reading>(L); }
int stream_read_on(lua_State* L) { return take_again<reading>(L, state_of(L)); }
int stream_read_into(lua_State* L) {
  lua_settop(L, 3);
  if (!buffer_at(L, state_of(L), 3)) bad_argument(L, "read_into", 3, "buffer");
  return take_now<reading_into>(L);
}
int stream_read_into_on(lua_State* L) { return take_again<reading_into>(L, state_of(L)); }
int listener_accept(lua_State* L) { return take_now<accepting>(L); }
int listener_accept_on(lua_State* L) { return take_again<accepting>(L, state_of(L)); }

int stream_read_op(lua_State* L) {
  state& s = state_of(L);
  auto& st = check_open<io::stream>(L, s, "read_some_op");
  take_operation<reading>::make(L, s, st, reading::check_limit(L, "read_some_op"));
  return 1;
}

int listener_accept_op(lua_State* L) {
  state& s = state_of(L);
  auto& l = check_open<listener>(L, s, "accept_op");
  get_reference(L, 1, 1);
  if (!lua_isnil(L, -1)) return 1;
  take_operation<accepting>::make(L, s, l, 0);
  lua_pushvalue(L, -1);
  set_reference(L, 1, 1);
  return 1;
}

}  // namespace weft::inline v0::lua
