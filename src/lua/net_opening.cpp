// SPDX-License-Identifier: MIT
// Connecting, and listening by name: primitives that lua/weft/tcp.lua puts together. An opening is
// the operation of one performance; connect_op is a guard around it.
#include <new>
#include <utility>

#include "core/errors.hpp"
#include "io/opening.hpp"
#include "lua/net.hpp"
#include "lua/operation.hpp"

namespace weft::inline v0::lua {

namespace {

/// Owns one performance, so that whatever happens to the performer, the collector ends it.
struct opening_object {
  io::opening* it;
};
struct opening_operation : operation {
  opening_object* object;  // reference 1; reference 2 makes the empty stream or listener
};

void end_opening(opening_object& o) {
  io::opening* it = std::exchange(o.it, nullptr);
  if (it) it->abandon();
}

bool opening_ready(state&, fiber&, operation&) { return false; }
int opening_attempt(lua_State*, state&, fiber&, operation&, int) { return not_ready; }
void opening_publish(state& s, fiber&, operation& o, core::wait_record& r) {
  io::opening& it = *static_cast<opening_operation&>(o).object->it;
  if (!it.begun()) it.begin(s.at());
  it.await(r);
}

int push_opening_error(lua_State* L, const io::opening& it, int error) {
  const core::error_text text = core::describe(error);
  io::address a;
  const bool v6 = io::parse_address(it.host(), 0, a) && a.family() == AF_INET6;
  lua_pushnil(L);
  lua_pushfstring(L, v6 ? "%s [%s]:%d: %s" : "%s %s:%d: %s", it.listens() ? "listen" : "connect",
                  it.host(), static_cast<int>(it.port()), text.message);
  lua_pushstring(L, text.code);
  return 3;
}

int opening_settle(lua_State* L, state&, fiber&, operation& o, int index) {
  opening_object& object = *static_cast<opening_operation&>(o).object;
  get_reference(L, index, 2);
  lua_call(L, 0, 1);
  io::opening& it = *object.it;
  const int fd = it.take();
  int results = 1;
  if (fd < 0)
    results = push_opening_error(L, it, fd);
  else if (it.listens())
    static_cast<listener*>(lua_touserdata(L, -1))->fd = fd;
  else
    static_cast<io::stream*>(lua_touserdata(L, -1))->fd = fd;
  end_opening(object);
  return results;
}
const operation_kind opening_kind = {"a connection", opening_ready, opening_attempt,
                                     opening_publish, opening_settle};

int push_empty_stream(lua_State* L) {
  new_stream(L);
  return 1;
}
int push_empty_listener(lua_State* L) {
  new_listener(L);
  return 1;
}

int opening_gc(lua_State* L) {
  end_opening(*static_cast<opening_object*>(lua_touserdata(L, 1)));
  return 0;
}

/// nodelay for connect (2: true unless given); backlog, reuse_port, v6only for listen, from index
/// on.
io::listen_options listen_options_at(lua_State* L, int index) {
  io::listen_options o;
  if (!lua_isnoneornil(L, index)) o.backlog = static_cast<int>(lua_tointeger(L, index));
  o.reuse_port = lua_toboolean(L, index + 1);
  o.v6only = lua_toboolean(L, index + 2);
  return o;
}

/// opening(listens, host, port, nodelay | backlog, reuse_port, v6only) -> the operation of one
/// performance. tcp.lua has checked the arguments.
int net_opening(lua_State* L) {
  state& s = state_of(L);
  io::opening_options options;
  options.listens = lua_toboolean(L, 1);
  const char* host = luaL_checkstring(L, 2);
  const auto port = static_cast<std::uint16_t>(luaL_checkinteger(L, 3));
  if (options.listens)
    options.listen = listen_options_at(L, 4);
  else
    options.nodelay = lua_isnoneornil(L, 4) || lua_toboolean(L, 4);
  lua_settop(L, 3);
  auto* object = ::new (new_userdata(L, sizeof(opening_object), 0)) opening_object{nullptr};
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "opening_mt");
  lua_setmetatable(L, 4);
  new_operation<opening_operation>(L, s, opening_kind, 2).object = object;
  lua_pushvalue(L, 4);
  set_reference(L, 5, 1);
  lua_getfield(L, lua_upvalueindex(anchors_upvalue),
               options.listens ? "empty_listener" : "empty_stream");
  set_reference(L, 5, 2);
  object->it = io::opening::make(host, port, options);
  if (!object->it) return luaL_error(L, "not enough memory");
  return 1;
}

/// abandon(op): the performance has lost or was cancelled.
int net_abandon(lua_State* L) {
  operation* o = operation_at(L, state_of(L), 1);
  if (o && o->kind == &opening_kind) end_opening(*static_cast<opening_operation*>(o)->object);
  return 0;
}

/// listen(host, port, backlog, reuse_port, v6only) -> listener; nil, message, code; false: it is a
/// name.
int net_listen(lua_State* L) {
  const char* host = luaL_checkstring(L, 1);
  const auto port = static_cast<std::uint16_t>(luaL_checkinteger(L, 2));
  const io::listen_options options = listen_options_at(L, 3);
  io::address a;
  if (!io::parse_address(host, port, a)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  listener& l = new_listener(L);
  const int fd = io::listen(a, options);
  if (fd >= 0) {
    l.fd = fd;
    return 1;
  }
  const core::error_text text = core::describe(fd);
  lua_pushnil(L);
  lua_pushfstring(L, a.family() == AF_INET6 ? "listen [%s]:%d: %s" : "listen %s:%d: %s", host,
                  static_cast<int>(port), text.message);
  lua_pushstring(L, text.code);
  return 3;
}

/// may_wait(name): raises outside a fiber.
int net_may_wait(lua_State* L) {
  running_fiber(L, state_of(L), luaL_checkstring(L, 1));
  return 0;
}

const luaL_Reg opening_metamethods[] = {{"__gc", opening_gc}, {nullptr, nullptr}};
const luaL_Reg empty_makers[] = {{"empty_stream", push_empty_stream},
                                 {"empty_listener", push_empty_listener},
                                 {nullptr, nullptr}};
const luaL_Reg functions[] = {{"net_opening", net_opening},
                              {"net_abandon", net_abandon},
                              {"net_listen", net_listen},
                              {"net_may_wait", net_may_wait},
                              {nullptr, nullptr}};

}  // namespace

void open_openings(lua_State* L) {
  lua_newtable(L);
  add_functions(L, opening_metamethods);
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "opening_mt");
  lua_pushvalue(L, lua_upvalueindex(anchors_upvalue));
  add_functions(L, empty_makers);
  lua_pop(L, 1);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
