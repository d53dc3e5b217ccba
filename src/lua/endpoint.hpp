// SPDX-License-Identifier: MIT
// Addresses as arguments and results: host and port, or a path; and those of this machine.
#pragma once

#include "io/endpoint.hpp"
#include "lua/arguments.hpp"

namespace weft::inline v0::lua {

/// host and port, or a path, from index on; shown to the user as the argument before that, since
/// the object of a method is not counted.
io::endpoint check_endpoint(lua_State* L, const char* method, int family, int index);

/// Pushes host and port, or a path ("" for none): how many values.
int push_endpoint(lua_State* L, const io::endpoint& e);

/// parse_address(host) -> the address as it is written, "ip4" | "ip6"; nil: a name.
int net_parse_address(lua_State* L);
/// interfaces() -> array of { name, family, address, netmask, broadcast, up, ... }
int net_interfaces(lua_State* L);

}  // namespace weft::inline v0::lua
