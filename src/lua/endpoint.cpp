// SPDX-License-Identifier: MIT
#include "lua/endpoint.hpp"

#include <ifaddrs.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

#include "lua/net.hpp"

namespace weft::inline v0::lua {

namespace {

io::endpoint check_path(lua_State* L, const char* method, int index) {
  if (lua_type(L, index) != LUA_TSTRING) bad_argument(L, method, index, "string", index - 1);
  std::size_t length;
  const char* path = lua_tolstring(L, index, &length);
  io::endpoint to;
  if (!io::path_endpoint(path, length, to))
    raise(L, "bad argument #%d to '%s' (the path is too long)", index - 1, method);
  return to;
}

/// The list of getifaddrs, owned by the collector while values are pushed that may raise.
struct interface_list {
  ifaddrs* first;
};
int interface_list_gc(lua_State* L) {
  auto& list = *static_cast<interface_list*>(lua_touserdata(L, 1));
  if (list.first) ::freeifaddrs(list.first);
  list.first = nullptr;
  return 0;
}
interface_list& new_interface_list(lua_State* L) {
  auto* list = static_cast<interface_list*>(new_userdata(L, sizeof(interface_list), 0));
  list->first = nullptr;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, interface_list_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return *list;
}

bool is_ip(const sockaddr* a) noexcept {
  return a && (a->sa_family == AF_INET || a->sa_family == AF_INET6);
}

void set_address(lua_State* L, const char* field, const sockaddr* from) {
  if (!is_ip(from)) return;
  io::address a;
  a.size = from->sa_family == AF_INET ? sizeof a.v4 : sizeof a.v6;
  std::memcpy(&a.any, from, a.size);
  const io::address_text text = io::to_text(a);
  lua_pushstring(L, text.text);
  lua_setfield(L, -2, field);
}

void push_interface(lua_State* L, const ifaddrs& i) {
  static constexpr struct {
    const char* name;
    unsigned bit;
  } flags[] = {{"up", IFF_UP},
               {"running", IFF_RUNNING},
               {"loopback", IFF_LOOPBACK},
               {"point_to_point", IFF_POINTOPOINT},
               {"multicast", IFF_MULTICAST}};
  lua_createtable(L, 0, 10);
  lua_pushstring(L, i.ifa_name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, i.ifa_addr->sa_family == AF_INET ? "ip4" : "ip6");
  lua_setfield(L, -2, "family");
  set_address(L, "address", i.ifa_addr);
  set_address(L, "netmask", i.ifa_netmask);
  if (i.ifa_flags & IFF_BROADCAST) set_address(L, "broadcast", i.ifa_broadaddr);
  if (i.ifa_flags & IFF_POINTOPOINT) set_address(L, "peer", i.ifa_dstaddr);
  for (const auto& flag : flags) {
    lua_pushboolean(L, (i.ifa_flags & flag.bit) != 0);
    lua_setfield(L, -2, flag.name);
  }
}

}  // namespace

io::endpoint check_endpoint(lua_State* L, const char* method, int family, int index) {
  if (family == AF_UNIX) return check_path(L, method, index);
  if (lua_type(L, index) != LUA_TSTRING) bad_argument(L, method, index, "string", index - 1);
  if (lua_type(L, index + 1) != LUA_TNUMBER) bad_argument(L, method, index + 1, "number", index);
  const lua_Number port = lua_tonumber(L, index + 1);
  if (!(port >= 0 && port <= 65535) || port != static_cast<std::uint16_t>(port))
    raise(L, "bad argument #%d to '%s' (a port from 0 to 65535 expected)", index, method);
  const char* host = lua_tostring(L, index);
  io::endpoint to;
  if (!io::parse_endpoint(family, host, static_cast<std::uint16_t>(port), to))
    raise(L, "bad argument #%d to '%s' (an %s address expected, got '%s')", index - 1, method,
          family == AF_INET ? "IPv4" : "IPv6", host);
  return to;
}

int push_endpoint(lua_State* L, const io::endpoint& e) {
  if (e.is_path()) {
    std::size_t length;
    const char* path = io::path_of(e, length);
    lua_pushlstring(L, path ? path : "", length);
    return 1;
  }
  const io::address a = io::ip_of(e);
  const io::address_text text = io::to_text(a);
  lua_pushstring(L, text.text);
  lua_pushinteger(L, a.port());
  return 2;
}

int net_parse_address(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING) bad_argument(L, "parse_address", 1, "string");
  io::address a;
  if (!io::parse_address(lua_tostring(L, 1), 0, a)) return 0;
  const io::address_text text = io::to_text(a);
  lua_pushstring(L, text.text);
  lua_pushstring(L, a.family() == AF_INET ? "ip4" : "ip6");
  return 2;
}

int net_interfaces(lua_State* L) {
  interface_list& list = new_interface_list(L);
  if (::getifaddrs(&list.first) != 0) return push_error(L, -errno);
  lua_newtable(L);
  int n = 0;
  for (const ifaddrs* i = list.first; i; i = i->ifa_next) {
    if (!is_ip(i->ifa_addr)) continue;
    push_interface(L, *i);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

}  // namespace weft::inline v0::lua
