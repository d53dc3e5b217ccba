// SPDX-License-Identifier: MIT
// weft.net.socket: making one, and what it does without waiting. lua/weft/socket.lua adds the
// blocking twins of its operations.
#include "lua/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <climits>
#include <cmath>
#include <cstring>
#include <new>

#include "lua/endpoint.hpp"

namespace weft::inline v0::lua {

void open_sockets(lua_State* L);

namespace {

raw_socket& check_socket(lua_State* L, const char* method) {
  return check_open<raw_socket>(L, state_of(L), method);
}

int push_done(lua_State* L, int error) {
  if (error) return push_error(L, error);
  lua_pushboolean(L, 1);
  return 1;
}
int push_done_or_errno(lua_State* L, int result) { return push_done(L, result == 0 ? 0 : -errno); }

/// socket(family, type) -> socket; socket.lua has checked the words.
int net_socket(lua_State* L) {
  const char* family = luaL_checkstring(L, 1);
  raw_socket& s = new_socket(L);
  s.family = family[0] == 'u' ? AF_UNIX : family[2] == '6' ? AF_INET6 : AF_INET;
  s.datagram = lua_toboolean(L, 2);
  const int type = s.datagram ? SOCK_DGRAM : SOCK_STREAM;
  const int fd = ::socket(s.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return push_error(L, -errno);
  s.fd = fd;
  return 1;
}

int socket_bind(lua_State* L) {
  raw_socket& s = check_socket(L, "bind");
  const io::endpoint to = check_endpoint(L, "bind", s.family, 2);
  return push_done_or_errno(L, ::bind(s.fd, &to.any, to.size));
}

int socket_listen(lua_State* L) {
  raw_socket& s = check_socket(L, "listen");
  lua_Integer backlog = SOMAXCONN;
  if (!lua_isnoneornil(L, 2)) {
    if (lua_type(L, 2) != LUA_TNUMBER) bad_argument(L, "listen", 2, "number", 1);
    backlog = lua_tointeger(L, 2);
    if (backlog < 0 || backlog > INT_MAX) raise(L, "bad argument #1 to 'listen' (out of range)");
  }
  return push_done_or_errno(L, ::listen(s.fd, static_cast<int>(backlog)));
}

int socket_shutdown(lua_State* L) {
  raw_socket& s = check_socket(L, "shutdown");
  const char* how = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  int which = -1;
  if (std::strcmp(how, "r") == 0) which = SHUT_RD;
  if (std::strcmp(how, "w") == 0) which = SHUT_WR;
  if (std::strcmp(how, "rw") == 0) which = SHUT_RDWR;
  if (which < 0) raise(L, "bad argument #1 to 'shutdown' (\"r\", \"w\" or \"rw\" expected)");
  return push_done_or_errno(L, ::shutdown(s.fd, which));
}

int socket_address(lua_State* L) {
  const raw_socket& s = check_socket(L, "address");
  io::endpoint e;
  const int error = io::local_endpoint(s.fd, e);
  return error ? push_error(L, error) : push_endpoint(L, e);
}
int socket_peer_address(lua_State* L) {
  const raw_socket& s = check_socket(L, "peer_address");
  io::endpoint e;
  const int error = io::peer_endpoint(s.fd, e);
  return error ? push_error(L, error) : push_endpoint(L, e);
}

int socket_getfd(lua_State* L) {
  lua_pushinteger(L, check_socket(L, "getfd").fd);
  return 1;
}

int socket_close(lua_State* L) {
  io::close(check_socket(L, "close"));
  lua_pushboolean(L, 1);
  return 1;
}
int socket_end(lua_State* L) {
  io::close(check<raw_socket>(L, state_of(L), "close"));
  return 0;
}
int socket_closed(lua_State* L) {
  lua_pushboolean(L, check<raw_socket>(L, state_of(L), "closed").closed());
  return 1;
}
int socket_gc(lua_State* L) {
  io::close(*static_cast<raw_socket*>(lua_touserdata(L, 1)));
  return 0;
}
int socket_tostring(lua_State* L) {
  const auto& s = check<raw_socket>(L, state_of(L), "tostring");
  const char* family = s.family == AF_UNIX ? "unix" : s.family == AF_INET6 ? "ip6" : "ip4";
  const char* type = s.datagram ? "datagram" : "stream";
  if (s.closed())
    lua_pushfstring(L, "weft.socket: %s %s, closed", family, type);
  else
    lua_pushfstring(L, "weft.socket: %s %s, descriptor %d", family, type, s.fd);
  return 1;
}

// ---- options ----

enum class option_type : std::uint8_t { boolean, integer, seconds };

struct socket_option {
  const char* name;
  int level;
  int number;
  option_type type;
};
constexpr socket_option options[] = {
    {"broadcast", SOL_SOCKET, SO_BROADCAST, option_type::boolean},
    {"debug", SOL_SOCKET, SO_DEBUG, option_type::boolean},
    {"dont_route", SOL_SOCKET, SO_DONTROUTE, option_type::boolean},
    {"error", SOL_SOCKET, SO_ERROR, option_type::integer},
    {"keepalive", SOL_SOCKET, SO_KEEPALIVE, option_type::boolean},
    {"max_segment", IPPROTO_TCP, TCP_MAXSEG, option_type::integer},
    {"nodelay", IPPROTO_TCP, TCP_NODELAY, option_type::boolean},
    {"oob_inline", SOL_SOCKET, SO_OOBINLINE, option_type::boolean},
    {"receive_buffer", SOL_SOCKET, SO_RCVBUF, option_type::integer},
    {"receive_low", SOL_SOCKET, SO_RCVLOWAT, option_type::integer},
    {"receive_timeout", SOL_SOCKET, SO_RCVTIMEO, option_type::seconds},
    {"reuse_address", SOL_SOCKET, SO_REUSEADDR, option_type::boolean},
    {"reuse_port", SOL_SOCKET, SO_REUSEPORT, option_type::boolean},
    {"send_buffer", SOL_SOCKET, SO_SNDBUF, option_type::integer},
    {"send_low", SOL_SOCKET, SO_SNDLOWAT, option_type::integer},
    {"send_timeout", SOL_SOCKET, SO_SNDTIMEO, option_type::seconds},
    {"v6only", IPPROTO_IPV6, IPV6_V6ONLY, option_type::boolean},
};

const socket_option& check_option(lua_State* L) {
  if (lua_type(L, 2) != LUA_TSTRING) bad_argument(L, "option", 2, "string", 1);
  const char* name = lua_tostring(L, 2);
  for (const socket_option& o : options)
    if (std::strcmp(o.name, name) == 0) return o;
  raise(L, "bad argument #1 to 'option' (there is no option '%s')", name);
}

int get_option(lua_State* L, int fd, const socket_option& o) {
  timeval time = {};
  int number = 0;
  const bool is_time = o.type == option_type::seconds;
  void* to = is_time ? static_cast<void*>(&time) : &number;
  socklen_t size = is_time ? sizeof time : sizeof number;
  if (::getsockopt(fd, o.level, o.number, to, &size) != 0) return push_error(L, -errno);
  if (is_time)
    lua_pushnumber(L, static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6);
  else if (o.type == option_type::boolean)
    lua_pushboolean(L, number != 0);
  else
    lua_pushinteger(L, number);
  return 1;
}

int set_option(lua_State* L, int fd, const socket_option& o) {
  timeval time = {};
  int number = 0;
  if (o.type == option_type::boolean) {
    if (!lua_isboolean(L, 3)) bad_argument(L, "option", 3, "boolean", 2);
    number = lua_toboolean(L, 3);
  } else {
    if (lua_type(L, 3) != LUA_TNUMBER) bad_argument(L, "option", 3, "number", 2);
    const double value = lua_tonumber(L, 3);
    if (!(value >= 0 && value <= INT_MAX)) raise(L, "bad argument #2 to 'option' (out of range)");
    number = static_cast<int>(value);
    time.tv_sec = number;
    time.tv_usec = static_cast<suseconds_t>((value - number) * 1e6);
  }
  const bool is_time = o.type == option_type::seconds;
  const void* from = is_time ? static_cast<const void*>(&time) : &number;
  const socklen_t size = is_time ? sizeof time : sizeof number;
  return push_done_or_errno(L, ::setsockopt(fd, o.level, o.number, from, size));
}

/// option(name) -> value; option(name, value) -> true
int socket_option_of(lua_State* L) {
  const raw_socket& s = check_socket(L, "option");
  const socket_option& o = check_option(L);
  return lua_isnoneornil(L, 3) ? get_option(L, s.fd, o) : set_option(L, s.fd, o);
}

const luaL_Reg methods[] = {{"bind", socket_bind},
                            {"listen", socket_listen},
                            {"accept_op", socket_accept_op},
                            {"connect_op", socket_connect_op},
                            {"recv_op", socket_recv_op},
                            {"recvfrom_op", socket_recvfrom_op},
                            {"send_op", socket_send_op},
                            {"sendto_op", socket_sendto_op},
                            {"shutdown", socket_shutdown},
                            {"close", socket_close},
                            {"closed", socket_closed},
                            {"address", socket_address},
                            {"peer_address", socket_peer_address},
                            {"option", socket_option_of},
                            {"getfd", socket_getfd},
                            {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__tostring", socket_tostring},
                                {"__gc", socket_gc},
                                {"__close", socket_end},
                                {nullptr, nullptr}};
const luaL_Reg functions[] = {{"socket", net_socket},
                              {"parse_address", net_parse_address},
                              {"interfaces", net_interfaces},
                              {nullptr, nullptr}};

}  // namespace

raw_socket& new_socket(lua_State* L) {
  auto* s = ::new (new_userdata(L, sizeof(raw_socket), 0)) raw_socket();
  push_anchor(L, anchor_socket_mt);
  lua_setmetatable(L, -2);
  return *s;
}

void open_sockets(lua_State* L) {
  add_type(L, anchor_socket_mt, "weft.socket", methods, metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
