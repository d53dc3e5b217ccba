// SPDX-License-Identifier: MIT
// Writing. write_op happens when the stream takes charge of the bytes; write performs it, and waits
// until they are sent.
#include "lua/buffer.hpp"
#include "lua/net.hpp"
#include "lua/operation.hpp"
#include "lua/wait.hpp"

namespace weft::inline v0::lua {

namespace {

constexpr const char* write_waits_for = "to write to a stream";
constexpr std::uint32_t waits_for_turn = 1;  // in the slot of the fiber's record
constexpr std::uint32_t waits_for_end = 2;

int write_results(lua_State* L, int error) {
  push_status(L, true);
  if (error) return push_error(L, error) + statuses;
  lua_pushboolean(L, 1);
  return 1 + statuses;
}

#if LUA_VERSION_NUM >= 503
int write_woken(lua_State* L, int, lua_KContext);
#else
int write_woken(lua_State* L);
#endif

int wait_to_write(lua_State* L, state& s, fiber& f, io::stream& st, io::written how) {
  if (has_continuations && how != io::written::kept) fix_bytes(L, s, 2);
  push_status(L, false);
  core::wait_record& r = begin_single(f);
  if (how == io::written::kept) {
    r.slot = waits_for_end;
    io::await_sent(st, r);
  } else {
    r.slot = waits_for_turn;
    io::await_turn(st, r);
  }
  return park(L, s, f, write_waits_for, 0, write_woken);
}

/// A number is a string, as in io.write.
const char* check_bytes(lua_State* L, state& s, const char* method, std::size_t& size) {
  const char* bytes = bytes_at(L, s, 2, size);
  if (!bytes) bad_argument(L, method, 2, "string or buffer", 1);
  return bytes;
}

/// After the wake-up; the stream and the bytes are where they were. 5.1: called by the frame.
int write_again(lua_State* L, state& s) {
  fiber& f = *s.current;
  auto& st = *static_cast<io::stream*>(lua_touserdata(L, 1));
  if (woken_by_close(L, s, f) || st.closed()) return closed_meanwhile(L);
  if (f.record.slot == waits_for_end)
    return write_results(L, f.winner == 0 ? 0 : io::write_error(st));
  std::size_t size;
  const char* bytes = bytes_at(L, s, 2, size);
  const io::written how = io::write_slowly(st, bytes, size, true);
  if (how == io::written::sent) return write_results(L, 0);
  if (how == io::written::failed) return write_results(L, io::write_error(st));
  return wait_to_write(L, s, f, st, how);
}

#if LUA_VERSION_NUM >= 503
int write_woken(lua_State* L, int, lua_KContext s) {
  return write_again(L, *reinterpret_cast<state*>(s));
}
#else
int write_woken(lua_State* L) { return write_again(L, state_of(L)); }
#endif

struct write_operation : operation {
  io::stream* to;  // reference 1; reference 2 is the bytes, which nothing changes
};

bool write_ready(state& s, fiber&, operation& o) {
  io::stream& st = *static_cast<write_operation&>(o).to;
  return st.closed() || use(st, s.at()) != 0 || io::can_write(st);
}

int write_for(lua_State* L, state& s, io::stream& st, int index, bool had_turn) {
  get_reference(L, index, 2);
  std::size_t size;
  const char* bytes = bytes_at(L, s, -1, size);
  const io::written how =
      had_turn ? io::write_slowly(st, bytes, size, true) : io::write(st, bytes, size);
  lua_pop(L, 1);
  if (how == io::written::wait) return not_ready;
  if (how == io::written::failed) return push_error(L, io::write_error(st));
  lua_pushboolean(L, 1);
  return 1;
}

int write_attempt(lua_State* L, state& s, fiber&, operation& o, int index) {
  io::stream& st = *static_cast<write_operation&>(o).to;
  if (st.closed()) return push_closed(L);
  if (const int error = use(st, s.at())) return push_error(L, error);
  return write_for(L, s, st, index, false);
}
void write_publish(state&, fiber&, operation& o, core::wait_record& r) {
  io::await_turn(*static_cast<write_operation&>(o).to, r);
}
int write_settle(lua_State* L, state& s, fiber& f, operation& o, int index) {
  io::stream& st = *static_cast<write_operation&>(o).to;
  if (f.closed || st.closed()) return push_closed(L);
  return write_for(L, s, st, index, true);
}
const operation_kind write_kind = {write_waits_for, write_ready, write_attempt, write_publish,
                                   write_settle};

}  // namespace

int stream_write(lua_State* L) {
  state& s = state_of(L);
  auto& st = check_open<io::stream>(L, s, "write");
  std::size_t size;
  const char* bytes = check_bytes(L, s, "write", size);
  fiber& f = running_fiber(L, s, "write");
  retract(f, s);
  if (f.cancel_pending) [[unlikely]]
    return raise_at_next_turn(L, s, f);
  if (const int error = use(st, s.at())) return write_results(L, error);
  const io::written how = io::write(st, bytes, size);
  if (how == io::written::sent) [[likely]]
    return spend(L, s, f, write_results(L, 0));
  if (how == io::written::failed) return write_results(L, io::write_error(st));
  return wait_to_write(L, s, f, st, how);
}

int stream_write_on(lua_State* L) { return write_again(L, state_of(L)); }

int stream_write_op(lua_State* L) {
  state& s = state_of(L);
  auto& st = check_open<io::stream>(L, s, "write_op");
  std::size_t size;
  check_bytes(L, s, "write_op", size);
  lua_settop(L, 2);
  fix_bytes(L, s, 2);
  new_operation<write_operation>(L, s, write_kind, 2).to = &st;
  for (int i = 1; i <= 2; ++i) {
    lua_pushvalue(L, i);
    set_reference(L, 3, i);
  }
  return 1;
}

}  // namespace weft::inline v0::lua
