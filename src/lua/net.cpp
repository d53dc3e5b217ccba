// SPDX-License-Identifier: MIT
// weft.net: the objects, listener and stream, and what they do without waiting.
#include "lua/net.hpp"

#include <cstring>
#include <new>
#include <type_traits>

#include "core/errors.hpp"
#include "lua/scope.hpp"

namespace weft::inline v0::lua {

void open_net(lua_State* L);

namespace {

/// The scope that a stream's last bytes keep open: the root of the run that it is attached to.
core::scope* root_of(const state& s, const io::socket& o) { return o.attached ? s.root : nullptr; }

int stream_shutdown(lua_State* L) {
  state& s = state_of(L);
  auto& st = check_open<io::stream>(L, s, "shutdown");
  const char* how = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : nullptr;
  int halves = 0;
  for (const char* c = how; c && *c; ++c) halves |= *c == 'r' ? 1 : *c == 'w' ? 2 : 4;
  if (halves < 1 || halves > 3)
    raise(L, "bad argument #1 to 'shutdown' (\"r\", \"w\" or \"rw\" expected)");
  if (const int error = io::shutdown(st, static_cast<io::half>(halves)))
    return push_error(L, error);
  lua_pushboolean(L, 1);
  return 1;
}

int push_address(lua_State* L, int error, const io::address& a) {
  if (error) return push_error(L, error);
  lua_pushstring(L, io::to_text(a).text);
  lua_pushinteger(L, a.port());
  return 2;
}

template <class T>
int socket_address(lua_State* L) {
  auto& o = check_open<T>(L, state_of(L), "address");
  io::address a;
  const int error = io::local_address(o.fd, a);
  return push_address(L, error, a);
}
int stream_peer_address(lua_State* L) {
  auto& st = check_open<io::stream>(L, state_of(L), "peer_address");
  io::address a;
  const int error = io::peer_address(st.fd, a);
  return push_address(L, error, a);
}

void push_text(lua_State* L, int error, const io::address& a) {
  if (error) {
    lua_pushliteral(L, "?");
    return;
  }
  const io::address_text host = io::to_text(a);
  lua_pushfstring(L, std::strchr(host.text, ':') ? "[%s]:%d" : "%s:%d", host.text,
                  static_cast<int>(a.port()));
}

template <class T>
int socket_tostring(lua_State* L) {
  auto& o = check<T>(L, state_of(L), "tostring");
  if (o.closed()) {
    lua_pushfstring(L, "weft.%s: closed", type_of<T>::name);
    return 1;
  }
  io::address a;
  int error = io::local_address(o.fd, a);
  push_text(L, error, a);
  if constexpr (std::is_same_v<T, listener>) {
    lua_pushfstring(L, "weft.listener: %s", lua_tostring(L, -1));
    return 1;
  }
  error = io::peer_address(o.fd, a);
  push_text(L, error, a);
  lua_pushfstring(L, "weft.stream: %s to %s", lua_tostring(L, -2), lua_tostring(L, -1));
  return 1;
}

int stream_close(lua_State* L) {
  state& s = state_of(L);
  auto& st = check_open<io::stream>(L, s, "close");
  io::close(st, root_of(s, st));
  lua_pushboolean(L, 1);
  return 1;
}
int listener_close(lua_State* L) {
  io::close(check_open<listener>(L, state_of(L), "close"));
  lua_pushboolean(L, 1);
  return 1;
}

/// The end of a block, after a close by hand or not.
int stream_end(lua_State* L) {
  state& s = state_of(L);
  auto& st = check<io::stream>(L, s, "close");
  io::close(st, root_of(s, st));
  return 0;
}
int listener_end(lua_State* L) {
  io::close(check<listener>(L, state_of(L), "close"));
  return 0;
}

int stream_gc(lua_State* L) {
  auto& st = *static_cast<io::stream*>(lua_touserdata(L, 1));
  io::drop(st, root_of(state_of(L), st));
  return 0;
}
int listener_gc(lua_State* L) {
  io::close(*static_cast<listener*>(lua_touserdata(L, 1)));
  return 0;
}

const luaL_Reg stream_methods[] = {{"read_some", stream_read},
                                   {"read_some_op", stream_read_op},
                                   {"_read_on", stream_read_on},
                                   {"_read_into", stream_read_into},
                                   {"_read_into_on", stream_read_into_on},
                                   {"write", stream_write},
                                   {"write_op", stream_write_op},
                                   {"_write_on", stream_write_on},
                                   {"shutdown", stream_shutdown},
                                   {"close", stream_close},
                                   {"address", socket_address<io::stream>},
                                   {"peer_address", stream_peer_address},
                                   {nullptr, nullptr}};
const luaL_Reg stream_metamethods[] = {{"__tostring", socket_tostring<io::stream>},
                                       {"__gc", stream_gc},
                                       {"__close", stream_end},
                                       {nullptr, nullptr}};
const luaL_Reg listener_methods[] = {
    {"accept", listener_accept},           {"accept_op", listener_accept_op},
    {"_accept_on", listener_accept_on},    {"close", listener_close},
    {"address", socket_address<listener>}, {nullptr, nullptr}};
const luaL_Reg listener_metamethods[] = {{"__tostring", socket_tostring<listener>},
                                         {"__gc", listener_gc},
                                         {"__close", listener_end},
                                         {nullptr, nullptr}};
}  // namespace

int push_error(lua_State* L, int error) {
  const core::error_text text = core::describe(error);
  lua_pushnil(L);
  lua_pushstring(L, text.message);
  lua_pushstring(L, text.code);
  return 3;
}

io::stream& new_stream(lua_State* L) {
  auto* s = ::new (new_userdata(L, sizeof(io::stream), 0)) io::stream();
  push_anchor(L, anchor_stream_mt);
  lua_setmetatable(L, -2);
  return *s;
}

listener& new_listener(lua_State* L) {
  auto* l = ::new (new_userdata(L, sizeof(listener), 1)) listener();
  push_anchor(L, anchor_listener_mt);
  lua_setmetatable(L, -2);
  return *l;
}

void open_net(lua_State* L) {
  add_type(L, anchor_stream_mt, "weft.stream", stream_methods, stream_metamethods);
  add_type(L, anchor_listener_mt, "weft.listener", listener_methods, listener_metamethods);
  open_openings(L);
}

}  // namespace weft::inline v0::lua
