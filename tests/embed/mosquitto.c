/* SPDX-License-Identifier: MIT
 * weft_mosquitto: libmosquitto for Lua, for tests/lua/test_mosquitto.lua. The library's own thread
 * posts what arrives to Lua, and completes the operations that wait for an answer of the broker's.
 *
 *   client = new(function(topic, payload) ... end)
 *   client:connect(port) -> operation: 0, or the code of the broker or the library
 *   client:subscribe(topic) -> operation: the granted quality of service
 *   client:publish(topic, payload) -> 0, or libmosquitto's code
 *   client:close() */
#include <mosquitto.h>
#include <stdlib.h>

#include "weft/weft.h"

typedef struct client {
  struct mosquitto* m;
  weft_handler* on_message;
  weft_completion *connected, *subscribed;
  int running;
} client;

/* ---- on the library's thread ---- */

static void complete(weft_completion** c, int code) {
  const weft_value v = weft_integer(code);
  if (!*c) return;
  weft_complete(*c, &v, 1);
  *c = NULL;
}

static void on_connect(struct mosquitto* m, void* arg, int code) {
  (void)m;
  complete(&((client*)arg)->connected, code);
}

static void on_subscribe(struct mosquitto* m, void* arg, int id, int count, const int* granted) {
  (void)m;
  (void)id;
  complete(&((client*)arg)->subscribed, count > 0 ? granted[0] : -1);
}

static void on_message(struct mosquitto* m, void* arg, const struct mosquitto_message* message) {
  weft_value v[2];
  (void)m;
  v[0] = weft_string(message->topic);
  v[1] = weft_bytes(message->payload, (size_t)message->payloadlen);
  weft_post(((client*)arg)->on_message, v, 2, WEFT_FOREVER);
}

/* ---- Lua's side ---- */

static client* check_client(lua_State* L) {
  client* c = (client*)luaL_checkudata(L, 1, "weft_mosquitto");
  if (!c->m) luaL_error(L, "the client is closed");
  return c;
}

static int l_new(lua_State* L) {
  client* c;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  c = (client*)lua_newuserdata(L, sizeof *c);
  memset(c, 0, sizeof *c);
  luaL_getmetatable(L, "weft_mosquitto");
  lua_setmetatable(L, -2);
  c->on_message = weft_handler_new(L, 1);
  c->m = mosquitto_new(NULL, true, c);
  if (!c->m) return luaL_error(L, "mosquitto_new failed");
  mosquitto_connect_callback_set(c->m, on_connect);
  mosquitto_subscribe_callback_set(c->m, on_subscribe);
  mosquitto_message_callback_set(c->m, on_message);
  return 1;
}

static int l_connect(lua_State* L) {
  client* c = check_client(L);
  const int port = (int)luaL_checkinteger(L, 2);
  int code;
  c->connected = weft_completion_new(L);
  code = mosquitto_connect_async(c->m, "127.0.0.1", port, 60);
  if (code == MOSQ_ERR_SUCCESS) code = mosquitto_loop_start(c->m);
  if (code != MOSQ_ERR_SUCCESS) return complete(&c->connected, code), 1;
  c->running = 1;
  return 1;
}

static int l_subscribe(lua_State* L) {
  client* c = check_client(L);
  const char* topic = luaL_checkstring(L, 2);
  int code;
  c->subscribed = weft_completion_new(L);
  code = mosquitto_subscribe(c->m, NULL, topic, 1);
  if (code != MOSQ_ERR_SUCCESS) complete(&c->subscribed, -code);
  return 1;
}

static int l_publish(lua_State* L) {
  client* c = check_client(L);
  size_t size;
  const char* topic = luaL_checkstring(L, 2);
  const char* payload = luaL_checklstring(L, 3, &size);
  lua_pushinteger(L, mosquitto_publish(c->m, NULL, topic, (int)size, payload, 1, false));
  return 1;
}

static void end_thread(void* arg) {
  client* c = (client*)arg;
  mosquitto_disconnect(c->m);
  mosquitto_loop_stop(c->m, false);
}

static void release(client* c) {
  if (c->m) mosquitto_destroy(c->m);
  c->m = NULL;
  if (c->on_message) weft_handler_release(c->on_message);
  c->on_message = NULL;
  complete(&c->connected, -1);
  complete(&c->subscribed, -1);
}

static int closed(lua_State* L) {
  release((client*)lua_touserdata(L, -1));
  lua_settop(L, 0);
  return 0;
}

/* The library's thread may be waiting for room for an event: other fibers have to get on. */
static int l_close(lua_State* L) {
  client* c = check_client(L);
  if (!c->running) return release(c), 0;
  c->running = 0;
  return weft_blocking(L, end_thread, c, closed);
}

static int l_collect(lua_State* L) {
  client* c = (client*)luaL_checkudata(L, 1, "weft_mosquitto");
  if (c->running) weft_leave_for(L, end_thread, c);
  return release(c), 0;
}

int luaopen_weft_mosquitto(lua_State* L) {
  static const struct {
    const char* name;
    lua_CFunction f;
  } methods[] = {{"connect", l_connect},
                 {"subscribe", l_subscribe},
                 {"publish", l_publish},
                 {"close", l_close}};
  size_t i;
  mosquitto_lib_init();
  luaL_newmetatable(L, "weft_mosquitto");
  lua_newtable(L);
  for (i = 0; i < sizeof methods / sizeof *methods; ++i) {
    weft_push_function(L, methods[i].f);
    lua_setfield(L, -2, methods[i].name);
  }
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushcfunction(L, l_new);
  lua_setfield(L, -2, "new");
  return 1;
}
