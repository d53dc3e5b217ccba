/* SPDX-License-Identifier: MIT
 * vortex_engine: a message engine with threads of its own, as Vortex is one, that tells Lua of what
 * arrives. A reader thread waits for the sockets and cuts frames out of what they bring; a pool of
 * threads delivers them to frame_received(conn, number, content, type), in order for each
 * connection. C11.
 *
 *   ctx = engine.new(frame_received [, "enter"])   posts to the handler; "enter": calls it from the
 *                                                  pool's threads, inside the state
 *   ctx:create_listener() -> port                  on 127.0.0.1
 *   ctx:connect(port) -> conn; nil, message
 *   ctx:send_msg(conn, content) -> number          ctx:send_rpy(conn, content, number)
 *   ctx:wait_listeners()                           until a handler calls unlock_listeners()
 *   ctx:close()                                    not in a handler that a thread calls ("enter")
 *   engine.main_loop(descriptors [, ms])           poll(2): somebody's main loop
 *
 * On the wire a frame is its type ('M' or 'R'), number and size (32 bits, big-endian), content. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "weft/weft.h"

enum { pool_size = 2, max_connections = 64, header_size = 9, largest_frame = 1 << 20 };
enum { patience = 50000000 }; /* nanoseconds, after which a thread looks whether the engine ends */

typedef struct frame {
  struct frame* next;
  int conn;
  char type;
  uint32_t number;
  uint32_t size;
  char content[];
} frame;

typedef struct connection {
  int fd; /* closed with the engine */
  int listens;
  int ended;
  size_t have;
  char* bytes; /* header_size + largest_frame; of the reader */
} connection;

typedef struct engine engine;

/* One of the pool's threads, with its own queue: all frames of a connection go to the same. */
typedef struct deliverer {
  engine* of;
  pthread_t thread;
  pthread_cond_t some;
  frame *first, *last;
} deliverer;

struct engine {
  weft_state* state;
  weft_handler* handler; /* NULL: enter, and call the function at `function` */
  int function;          /* in the registry */
  pthread_t reader;
  deliverer pool[pool_size];
  int started; /* threads: the reader, then the pool */
  int bell[2];
  uint32_t number;
  pthread_mutex_t sending;
  pthread_mutex_t mutex; /* all below */
  pthread_cond_t unlocked;
  int ending, unlock;
  int count;
  connection connections[max_connections];
};

static int is_ending(engine* e) {
  int ending;
  pthread_mutex_lock(&e->mutex);
  ending = e->ending;
  pthread_mutex_unlock(&e->mutex);
  return ending;
}

static void ring(engine* e) {
  const char c = 0;
  if (write(e->bell[1], &c, 1) < 0 && errno != EAGAIN) perror("vortex_engine: bell");
}

/* ---- delivering: the pool ---- */

static void post_frame(engine* e, const frame* f) {
  const char type[2] = {f->type, 0};
  weft_value v[4];
  v[0] = weft_integer(f->conn);
  v[1] = weft_integer(f->number);
  v[2] = weft_bytes(f->content, f->size);
  v[3] = weft_string(type);
  while (weft_post(e->handler, v, 4, patience) == WEFT_TIMEOUT && !is_ending(e)) continue;
}

static void call_handler(engine* e, lua_State* L, const frame* f) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, e->function);
  lua_pushinteger(L, f->conn);
  lua_pushinteger(L, (lua_Integer)f->number);
  lua_pushlstring(L, f->content, f->size);
  lua_pushlstring(L, &f->type, 1);
  if (lua_pcall(L, 4, 0, 0) != 0) fprintf(stderr, "frame_received: %s\n", lua_tostring(L, -1));
}

static void enter_with_frame(engine* e, const frame* f) {
  lua_State* L;
  int status = WEFT_TIMEOUT;
  while (status == WEFT_TIMEOUT && !is_ending(e)) status = weft_try_enter(e->state, patience, &L);
  if (status != WEFT_OK) return;
  call_handler(e, L, f);
  weft_leave(e->state);
}

static frame* next_frame(deliverer* d) {
  engine* e = d->of;
  frame* f = NULL;
  pthread_mutex_lock(&e->mutex);
  while (!d->first && !e->ending) pthread_cond_wait(&d->some, &e->mutex);
  if (!e->ending) {
    f = d->first;
    d->first = f->next;
  }
  pthread_mutex_unlock(&e->mutex);
  return f;
}

static void* deliver(void* arg) {
  deliverer* d = (deliverer*)arg;
  frame* f;
  while ((f = next_frame(d))) {
    if (d->of->handler)
      post_frame(d->of, f);
    else
      enter_with_frame(d->of, f);
    free(f);
  }
  return NULL;
}

/* ---- reading ---- */

static uint32_t get32(const char* p) {
  uint32_t n;
  memcpy(&n, p, sizeof n);
  return ntohl(n);
}

static void put32(char* p, uint32_t n) {
  n = htonl(n);
  memcpy(p, &n, sizeof n);
}

static void queue_frame(engine* e, int conn, const char* bytes, uint32_t size) {
  deliverer* d = &e->pool[conn % pool_size];
  frame* f = (frame*)malloc(sizeof *f + size);
  if (!f) return;
  f->next = NULL;
  f->conn = conn;
  f->type = bytes[0];
  f->number = get32(bytes + 1);
  f->size = size;
  memcpy(f->content, bytes + header_size, size);
  pthread_mutex_lock(&e->mutex);
  if (d->first)
    d->last->next = f;
  else
    d->first = f;
  d->last = f;
  pthread_cond_signal(&d->some);
  pthread_mutex_unlock(&e->mutex);
}

/* Whole frames go to the pool, the rest stays. 0: that is no frame. */
static int cut_frames(engine* e, int conn, connection* c) {
  size_t at = 0;
  while (c->have - at >= header_size) {
    const uint32_t size = get32(c->bytes + at + 5);
    if (size > largest_frame) return 0;
    if (c->have - at < header_size + size) break;
    queue_frame(e, conn, c->bytes + at, size);
    at += header_size + size;
  }
  c->have -= at;
  memmove(c->bytes, c->bytes + at, c->have);
  return 1;
}

/* -> the connection's number, or -1 */
static int add_connection(engine* e, int fd, int listens) {
  int conn = -1;
  char* bytes = listens ? NULL : (char*)malloc(header_size + largest_frame);
  if (fd < 0) return -1;
  pthread_mutex_lock(&e->mutex);
  if (e->count < max_connections && (listens || bytes)) {
    connection* c = &e->connections[e->count];
    memset(c, 0, sizeof *c);
    c->fd = fd;
    c->listens = listens;
    c->bytes = bytes;
    conn = e->count++;
  }
  pthread_mutex_unlock(&e->mutex);
  if (conn >= 0) return ring(e), conn;
  free(bytes);
  close(fd);
  return -1;
}

static void attend(engine* e, int conn) {
  connection* c = &e->connections[conn];
  ssize_t n;
  if (c->listens) {
    add_connection(e, accept(c->fd, NULL, NULL), 0);
    return;
  }
  n = recv(c->fd, c->bytes + c->have, header_size + largest_frame - c->have, 0);
  if (n < 0 && errno == EINTR) return;
  if (n > 0) c->have += (size_t)n;
  if (n > 0 && cut_frames(e, conn, c)) return;
  shutdown(c->fd, SHUT_RDWR);
  c->ended = 1;
}

static int list_descriptors(engine* e, struct pollfd* list) {
  int i, count;
  list[0].fd = e->bell[0];
  list[0].events = POLLIN;
  pthread_mutex_lock(&e->mutex);
  count = e->ending ? 0 : e->count + 1;
  pthread_mutex_unlock(&e->mutex);
  for (i = 1; i < count; ++i) {
    const connection* c = &e->connections[i - 1];
    list[i].fd = c->ended ? -1 : c->fd;
    list[i].events = POLLIN;
  }
  return count;
}

static void* read_all(void* arg) {
  engine* e = (engine*)arg;
  struct pollfd list[max_connections + 1];
  int i, count;
  char c[16];
  while ((count = list_descriptors(e, list)) > 0) {
    if (poll(list, (nfds_t)count, -1) < 0) continue;
    if (list[0].revents && read(e->bell[0], c, sizeof c) < 0) perror("vortex_engine: bell");
    for (i = 1; i < count; ++i)
      if (list[i].revents) attend(e, i - 1);
  }
  return NULL;
}

/* ---- beginning and ending ---- */

static void end_engine(engine* e) {
  int i;
  pthread_mutex_lock(&e->mutex);
  e->ending = e->unlock = 1;
  for (i = 0; i < pool_size; ++i) pthread_cond_signal(&e->pool[i].some);
  pthread_cond_broadcast(&e->unlocked);
  pthread_mutex_unlock(&e->mutex);
  ring(e);
}

static void join_threads(void* arg) {
  engine* e = (engine*)arg;
  while (e->started > 1) pthread_join(e->pool[--e->started - 1].thread, NULL);
  if (e->started > 0) pthread_join(e->reader, NULL);
  e->started = 0;
}

static void free_all(engine* e) {
  int i;
  frame* f;
  for (i = 0; i < e->count; ++i) {
    close(e->connections[i].fd);
    free(e->connections[i].bytes);
  }
  e->count = 0;
  for (i = 0; i < pool_size; ++i)
    while ((f = e->pool[i].first)) {
      e->pool[i].first = f->next;
      free(f);
    }
  for (i = 0; i < 2; ++i) {
    if (e->bell[i] >= 0) close(e->bell[i]);
    e->bell[i] = -1;
  }
}

static engine* check_engine(lua_State* L) {
  engine* e = (engine*)luaL_checkudata(L, 1, "vortex_engine");
  if (e->started == 0) luaL_error(L, "the engine is closed");
  return e;
}

/* Threads that are about to enter find the gate open, and then that there is nothing to do. */
static int l_close(lua_State* L) {
  engine* e = (engine*)luaL_checkudata(L, 1, "vortex_engine");
  if (e->started > 0) {
    end_engine(e);
    weft_leave_for(L, join_threads, e);
  }
  free_all(e);
  if (e->handler) weft_handler_release(e->handler);
  if (e->state) weft_state_release(e->state);
  luaL_unref(L, LUA_REGISTRYINDEX, e->function);
  e->handler = NULL;
  e->state = NULL;
  e->function = LUA_NOREF;
  return 0;
}

static void start_threads(lua_State* L, engine* e) {
  int i;
  if (pipe(e->bell) != 0) luaL_error(L, "pipe: %s", strerror(errno));
  if (pthread_create(&e->reader, NULL, read_all, e) != 0) luaL_error(L, "pthread_create failed");
  e->started = 1;
  for (i = 0; i < pool_size; ++i, ++e->started)
    if (pthread_create(&e->pool[i].thread, NULL, deliver, &e->pool[i]) != 0)
      luaL_error(L, "pthread_create failed");
}

static int l_new(lua_State* L) {
  const int enters = lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "enter") == 0;
  engine* e;
  int i;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  e = (engine*)lua_newuserdata(L, sizeof *e);
  memset(e, 0, sizeof *e);
  e->bell[0] = e->bell[1] = -1;
  e->function = LUA_NOREF;
  pthread_mutex_init(&e->mutex, NULL);
  pthread_mutex_init(&e->sending, NULL);
  pthread_cond_init(&e->unlocked, NULL);
  for (i = 0; i < pool_size; ++i) {
    e->pool[i].of = e;
    pthread_cond_init(&e->pool[i].some, NULL);
  }
  luaL_getmetatable(L, "vortex_engine");
  lua_setmetatable(L, -2);
  e->state = weft_state_of(L);
  if (enters) {
    lua_pushvalue(L, 1);
    e->function = luaL_ref(L, LUA_REGISTRYINDEX);
  } else {
    e->handler = weft_handler_new(L, 1);
  }
  start_threads(L, e);
  return 1;
}

/* ---- connections ---- */

static struct sockaddr_in local_address(lua_Integer port) {
  struct sockaddr_in a;
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_port = htons((uint16_t)port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

static int push_failure(lua_State* L, int fd) {
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  if (fd >= 0) close(fd);
  return 2;
}

static int l_create_listener(lua_State* L) {
  engine* e = check_engine(L);
  struct sockaddr_in a = local_address(0);
  socklen_t size = sizeof a;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr*)&a, size) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, (struct sockaddr*)&a, &size) != 0)
    return push_failure(L, fd);
  if (add_connection(e, fd, 1) < 0) return luaL_error(L, "too many connections");
  lua_pushinteger(L, ntohs(a.sin_port));
  return 1;
}

static int l_connect(lua_State* L) {
  engine* e = check_engine(L);
  struct sockaddr_in a = local_address(luaL_checkinteger(L, 2));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  int conn;
  if (fd < 0 || connect(fd, (struct sockaddr*)&a, sizeof a) != 0) return push_failure(L, fd);
  conn = add_connection(e, fd, 0);
  if (conn < 0) return luaL_error(L, "too many connections");
  lua_pushinteger(L, conn);
  return 1;
}

static int descriptor_of(engine* e, lua_Integer conn) {
  int fd = -1;
  pthread_mutex_lock(&e->mutex);
  if (conn >= 0 && conn < e->count && !e->connections[conn].listens) fd = e->connections[conn].fd;
  pthread_mutex_unlock(&e->mutex);
  return fd;
}

static int send_bytes(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) return 0;
    if (n < 0) continue;
    bytes += n;
    size -= (size_t)n;
  }
  return 1;
}

static int send_frame(lua_State* L, engine* e, char type, uint32_t number) {
  size_t size;
  const char* content = luaL_checklstring(L, 3, &size);
  const int fd = descriptor_of(e, luaL_checkinteger(L, 2));
  char header[header_size];
  int sent;
  luaL_argcheck(L, fd >= 0, 2, "no connection");
  luaL_argcheck(L, size <= largest_frame, 3, "too long");
  header[0] = type;
  put32(header + 1, number);
  put32(header + 5, (uint32_t)size);
  pthread_mutex_lock(&e->sending);
  sent = send_bytes(fd, header, header_size) && send_bytes(fd, content, size);
  pthread_mutex_unlock(&e->sending);
  if (!sent) return push_failure(L, -1);
  lua_pushinteger(L, (lua_Integer)number);
  return 1;
}

static int l_send_msg(lua_State* L) {
  engine* e = check_engine(L);
  return send_frame(L, e, 'M', ++e->number);
}

static int l_send_rpy(lua_State* L) {
  engine* e = check_engine(L);
  return send_frame(L, e, 'R', (uint32_t)luaL_checkinteger(L, 4));
}

/* ---- waiting ---- */

static void wait_unlocked(void* arg) {
  engine* e = (engine*)arg;
  pthread_mutex_lock(&e->mutex);
  while (!e->unlock) pthread_cond_wait(&e->unlocked, &e->mutex);
  e->unlock = 0;
  pthread_mutex_unlock(&e->mutex);
}

static int no_results(lua_State* L) {
  lua_settop(L, 0);
  return 0;
}

/* In a fiber the others get on; elsewhere this thread is out of the state, for those that enter. */
static int l_wait_listeners(lua_State* L) {
  return weft_blocking(L, wait_unlocked, check_engine(L), no_results);
}

static int l_unlock_listeners(lua_State* L) {
  engine* e = check_engine(L);
  pthread_mutex_lock(&e->mutex);
  e->unlock = 1;
  pthread_cond_broadcast(&e->unlocked);
  pthread_mutex_unlock(&e->mutex);
  return 0;
}

static int l_main_loop(lua_State* L) {
  struct pollfd list[16];
  nfds_t n = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  for (; n < 16; ++n) {
    lua_rawgeti(L, 1, (int)n + 1);
    if (lua_isnil(L, -1)) break;
    list[n].fd = (int)lua_tointeger(L, -1);
    list[n].events = POLLIN;
    lua_pop(L, 1);
  }
  lua_pushinteger(L, poll(list, n, (int)luaL_optinteger(L, 2, -1)));
  return 1;
}

int luaopen_vortex_engine(lua_State* L) {
  static const struct {
    const char* name;
    lua_CFunction f;
  } methods[] = {{"create_listener", l_create_listener},
                 {"connect", l_connect},
                 {"send_msg", l_send_msg},
                 {"send_rpy", l_send_rpy},
                 {"wait_listeners", l_wait_listeners},
                 {"unlock_listeners", l_unlock_listeners},
                 {"close", l_close}};
  size_t i;
  luaL_newmetatable(L, "vortex_engine");
  lua_newtable(L);
  for (i = 0; i < sizeof methods / sizeof *methods; ++i) {
    weft_push_function(L, methods[i].f);
    lua_setfield(L, -2, methods[i].name);
  }
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushcfunction(L, l_new);
  lua_setfield(L, -2, "new");
  lua_pushcfunction(L, l_main_loop);
  lua_setfield(L, -2, "main_loop");
  return 1;
}
