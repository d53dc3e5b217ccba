// SPDX-License-Identifier: MIT
// What the files of weft.net have in common: the objects, and the functions that net.cpp puts into
// their methods. net_take.cpp reads and accepts, net_write.cpp writes, net_opening.cpp connects and
// listens.
//
// read_some, write and accept wait without an operation object. On 5.1 they give a status first:
// true, and their results; or false, when they have waited, and the frame in lua/weft/tcp.lua calls
// the function that goes on.
#pragma once

#include "io/stream.hpp"
#include "lua/arguments.hpp"
#include "lua/state.hpp"

namespace weft::inline v0::lua {

/// Reference 1: its accept operation, built once.
struct listener : io::socket {};

inline constexpr int statuses = has_continuations ? 0 : 1;  // values below the results

/// nil, message, code of a negative errno or the like; returns 3.
int push_error(lua_State* L, int error);

/// The results of a wait during which the stream or listener was closed.
int closed_meanwhile(lua_State* L);

/// Without a descriptor yet; on top.
io::stream& new_stream(lua_State* L);
listener& new_listener(lua_State* L);

template <class T>
struct type_of;
template <>
struct type_of<io::stream> {
  static constexpr anchor metatable = anchor_stream_mt;
  static constexpr const char* name = "stream";
};
template <>
struct type_of<listener> {
  static constexpr anchor metatable = anchor_listener_mt;
  static constexpr const char* name = "listener";
};

template <class T>
T& check(lua_State* L, state& s, const char* method) {
  auto* o = static_cast<T*>(userdata_of(L, s, 1, type_of<T>::metatable));
  if (!o) bad_argument(L, method, 1, type_of<T>::name);
  return *o;
}

template <class T>
T& check_open(lua_State* L, state& s, const char* method) {
  T& o = check<T>(L, s, method);
  if (o.closed()) [[unlikely]]
    raise(L, "'%s' of a closed %s", method, type_of<T>::name);
  return o;
}

int stream_read(lua_State* L);
int stream_read_on(lua_State* L);
int stream_read_op(lua_State* L);
int stream_read_into(lua_State* L);  // (stream, max, buffer), for lua/weft/buffer.lua
int stream_read_into_on(lua_State* L);
int stream_write(lua_State* L);
int stream_write_on(lua_State* L);
int stream_write_op(lua_State* L);
int listener_accept(lua_State* L);
int listener_accept_on(lua_State* L);
int listener_accept_op(lua_State* L);

/// Adds the functions for lua/weft/tcp.lua to the module on top.
void open_openings(lua_State* L);

}  // namespace weft::inline v0::lua
