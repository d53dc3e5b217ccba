// SPDX-License-Identifier: MIT
#include "lua/value.hpp"

#include <cmath>

#include "lua/native.hpp"

namespace weft::inline v0::lua {

namespace {

held_object* held_at(lua_State* L, state& s, int index) {
  for (const anchor type : {anchor_shared_channel_mt, anchor_object_mt})
    if (void* p = userdata_of(L, s, index, type)) return static_cast<held_object*>(p);
  return nullptr;
}

value number_at(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, index)) return static_cast<std::int64_t>(lua_tointeger(L, index));
  return static_cast<double>(lua_tonumber(L, index));
#else
  constexpr double exact = 9007199254740992.0;  // 2^53: beyond it a double is not every integer
  const double n = lua_tonumber(L, index);
  const bool integral = n == std::floor(n) && std::fabs(n) <= exact && !(n == 0 && std::signbit(n));
  return integral ? value(static_cast<std::int64_t>(n)) : value(n);
#endif
}

void push_integer(lua_State* L, std::int64_t n) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, n);
#else
  lua_pushnumber(L, static_cast<double>(n));
#endif
}

/// The key of an object in anchor_shared. No light userdata: LuaJIT takes no pointer of more than
/// 47 bits.
void push_key(lua_State* L, const shared_object& object) {
  lua_pushnumber(L, static_cast<lua_Number>(reinterpret_cast<std::uintptr_t>(&object)));
}

/// The same userdata for the same object, while it lives.
void push_object(lua_State* L, shared_object& object, anchor type) {
  push_anchor(L, anchor_shared);
  push_key(L, object);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  held_object& held = new_held(L, type);
  object.add_reference();
  held.object = &object;
  know_held(L, held);
}

int object_tostring(lua_State* L) {
  state& s = state_of(L);
  auto* held = static_cast<held_object*>(userdata_of(L, s, 1, anchor_object_mt));
  if (!held || !held->object) bad_argument(L, "tostring", 1, "shared object");
  lua_pushfstring(L, "weft.object: %s %p", held->object->type_name(),
                  static_cast<void*>(held->object));
  return 1;
}

const luaL_Reg object_metamethods[] = {
    {"__gc", held_gc}, {"__tostring", object_tostring}, {nullptr, nullptr}};

}  // namespace

const char* unfit(lua_State* L, state& s, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING: return nullptr;
    case LUA_TUSERDATA: break;
    default: return luaL_typename(L, index);
  }
  if (const held_object* held = held_at(L, s, index))
    return held->object ? nullptr : "a collected object";
  if (luaL_getmetafield(L, index, "__name") && lua_type(L, -1) == LUA_TSTRING)
    return lua_tostring(L, -1);
  return luaL_typename(L, index);
}

void check_fit(lua_State* L, state& s, int arg, int shown) {
  if (const char* what = unfit(L, s, arg))
    raise(L, "argument %d: a %s cannot be sent through a shared channel", shown, what);
}

value value_at(lua_State* L, state& s, int index) {
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: return lua_toboolean(L, index) != 0;
    case LUA_TNUMBER: return number_at(L, index);
    case LUA_TSTRING: {
      std::size_t n = 0;
      const char* bytes = lua_tolstring(L, index, &n);
      return std::string_view(bytes, n);
    }
    case LUA_TUSERDATA: return ref<shared_object>(*held_at(L, s, index)->object);
    default: return {};
  }
}

void push_value(lua_State* L, const value& v) {
  switch (v.type()) {
    case value::kind::nil: return lua_pushnil(L);
    case value::kind::boolean: return lua_pushboolean(L, v.is_true());
    case value::kind::integer: return push_integer(L, v.as_integer());
    case value::kind::number: return lua_pushnumber(L, v.as_number());
    case value::kind::bytes: {
      const std::string_view bytes = v.as_bytes();
      lua_pushlstring(L, bytes.data(), bytes.size());
      return;
    }
    case value::kind::object: break;
  }
  shared_object& object = v.as_object();
  if (auto* f = dynamic_cast<native_function*>(&object)) return push_native(L, *f);
  const bool is_channel = dynamic_cast<shared_channel*>(&object) != nullptr;
  push_object(L, object, is_channel ? anchor_shared_channel_mt : anchor_object_mt);
}

shared_channel* shared_channel_at(lua_State* L, state& s, int arg) {
  auto* held = static_cast<held_object*>(userdata_of(L, s, arg, anchor_shared_channel_mt));
  return held ? static_cast<shared_channel*>(held->object) : nullptr;
}

held_object& new_held(lua_State* L, anchor type) {
  auto& held = *static_cast<held_object*>(new_userdata(L, sizeof(held_object), 1));
  held.object = nullptr;
  push_anchor(L, type);
  lua_setmetatable(L, -2);
  return held;
}

void know_held(lua_State* L, const held_object& held) {
  push_anchor(L, anchor_shared);
  push_key(L, *held.object);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

int held_gc(lua_State* L) {
  auto* held = static_cast<held_object*>(lua_touserdata(L, 1));
  if (shared_object* const object = held->object) {
    held->object = nullptr;
    object->drop_reference();
  }
  return 0;
}

void open_values(lua_State* L) {
  add_type(L, anchor_object_mt, "weft.object", nullptr, object_metamethods);
}

}  // namespace weft::inline v0::lua
