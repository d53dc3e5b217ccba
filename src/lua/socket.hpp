// SPDX-License-Identifier: MIT
// socket: weft.net.socket's object, a thin face of the system's: stream or datagram, over IPv4,
// IPv6 or a path. socket.cpp has what does not wait, socket_operations.cpp what may.
#pragma once

#include "io/socket.hpp"
#include "lua/net.hpp"

namespace weft::inline v0::lua {

struct raw_socket : io::socket {
  int family = 0;
  bool datagram = false;
  bool connecting = false;  // connect() has been begun and not ended
};

template <>
struct type_of<raw_socket> {
  static constexpr anchor metatable = anchor_socket_mt;
  static constexpr const char* name = "socket";
};

/// Without a descriptor yet; on top.
raw_socket& new_socket(lua_State* L);

int socket_accept_op(lua_State* L);
int socket_connect_op(lua_State* L);
int socket_recv_op(lua_State* L);
int socket_recvfrom_op(lua_State* L);
int socket_send_op(lua_State* L);
int socket_sendto_op(lua_State* L);

}  // namespace weft::inline v0::lua
