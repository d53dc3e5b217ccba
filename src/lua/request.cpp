// SPDX-License-Identifier: MIT
#include "lua/request.hpp"

namespace weft::inline v0::lua {

void check_request(lua_State* L, state&, const char* method, int arg) {
  const int type = lua_type(L, arg);
  if (type != LUA_TSTRING && type != LUA_TNUMBER && !lua_isnoneornil(L, arg))
    bad_argument(L, method, arg, "string", 1);
}

foreign::request request_at(lua_State* L, state& s, const char* method, int arg) {
  check_request(L, s, method, arg);
  foreign::request r;
  if (!lua_isnoneornil(L, arg)) r.data = lua_tolstring(L, arg, &r.size);
  return r;
}

}  // namespace weft::inline v0::lua
