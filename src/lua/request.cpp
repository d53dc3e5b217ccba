// SPDX-License-Identifier: MIT
#include "lua/request.hpp"

#include "lua/buffer.hpp"

namespace weft::inline v0::lua {

void check_request(lua_State* L, state& s, const char* method, int arg) {
  const int type = lua_type(L, arg);
  if (type != LUA_TSTRING && type != LUA_TNUMBER && !lua_isnoneornil(L, arg) &&
      !buffer_at(L, s, arg))
    bad_argument(L, method, arg, "string or buffer", 1);
}

foreign::request request_at(lua_State* L, state& s, const char* method, int arg) {
  check_request(L, s, method, arg);
  foreign::request r;
  if (buffer* b = buffer_at(L, s, arg)) {
    r.data = bytes_of(*b);
    if (!b->block) return r;
    r.owner = lend(*b);
    if (!r.owner) raise(L, "not enough memory");
    r.data = bytes_of(*b);  // it may have moved
    r.size = b->size;
    r.release = release;
  } else if (!lua_isnoneornil(L, arg)) {
    r.data = lua_tolstring(L, arg, &r.size);
  }
  return r;
}

}  // namespace weft::inline v0::lua
