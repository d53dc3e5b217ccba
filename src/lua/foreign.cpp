// SPDX-License-Identifier: MIT
// weft.foreign: the primitives that lua/weft/foreign.lua puts together: a runtime's handle, calls
// that wait without an operation object, and its operations and streams.
//
// A call is started by a C closure of its own, which knows the runtime and the method's name. On
// 5.1 it gives a status first: true, and its results; or false, when it has waited, and the frame
// calls foreign_finish.
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <new>
#include <utility>

#include "foreign/library.hpp"
#include "foreign/site.hpp"
#include "lua/operation.hpp"
#include "lua/request.hpp"
#include "lua/scope.hpp"
#include "lua/wait.hpp"
#include "weft/core/forks.hpp"

namespace weft::inline v0::lua {

void open_foreign(lua_State* L);

namespace {

using foreign::call;
using foreign::host;

constexpr const char* waits_for = "a foreign library";
constexpr int statuses = has_continuations ? 0 : 1;  // values below the results

/// The body of a handle: a runtime that a library has started.
struct runtime {
  foreign::queue* tasks = nullptr;
  char* message = nullptr;  // of a load that has failed
  core::nanoseconds timeout = core::forever;
  unsigned forks = 0;  // of the process when it was loaded: a child has none of its threads

  bool lives() const noexcept {
    return tasks && !tasks->finished() && forks == core::forks_of_process();
  }
};

/// Owns a call that an operation or a stream waits for.
struct call_object {
  call* it = nullptr;  // null: not begun, or over
  foreign::site* at = nullptr;

  void end() noexcept {
    if (it) at->leave(*std::exchange(it, nullptr));
  }
};

foreign::site* site_of(state& s) noexcept {
  if (!s.foreign) s.foreign = foreign::site::make(s.at()).release();
  return s.foreign;
}

/// By the option: when a request that is made now is over.
core::nanoseconds end_of_request(state& s, const runtime& rt) noexcept {
  if (rt.timeout == core::forever) return core::forever;
  const core::nanoseconds now = s.at().now();
  return rt.timeout > core::forever - now ? core::forever : now + rt.timeout;
}

/// The deadline: what the library is told.
host::posting post(state& s, runtime& rt, const foreign::request& what,
                   core::nanoseconds deadline) noexcept {
  foreign::site* const site = site_of(s);
  if (!rt.lives() || !site) {
    if (what.release) what.release(what.owner);
    return {site ? host::outcome::finished : host::outcome::no_memory, nullptr};
  }
  return site->post(*rt.tasks, what, deadline);
}

int push_failure(lua_State* L, host::outcome how) {
  lua_pushboolean(L, 0);
  lua_pushstring(L, how == host::outcome::full       ? "queue full"
                    : how == host::outcome::finished ? "unloaded"
                                                     : "not enough memory");
  return 2;
}
int push_timeout(lua_State* L) {
  lua_pushboolean(L, 0);
  lua_pushliteral(L, "timeout");
  return 2;
}

void push_last_bytes(lua_State* L, const call& c) {
  if (c.answer)
    lua_pushlstring(L, c.answer, c.answer_size);
  else
    lua_pushnil(L);
}

void push_bytes(lua_State* L, const call& c) {
  if (!c.first_part) return push_last_bytes(L, c);
  luaL_Buffer all;
  luaL_buffinit(L, &all);
  for (foreign::part* p = c.first_part; p; p = static_cast<foreign::part*>(p->next))
    luaL_addlstring(&all, p->data, p->size);
  if (c.answer) luaL_addlstring(&all, c.answer, c.answer_size);
  luaL_pushresult(&all);
}

/// true, bytes; or false, the library's integer, its error: parts that came before it are no part
/// of that.
int push_answer(lua_State* L, const call& c) {
  lua_pushboolean(L, c.status == 0);
  if (c.status == 0) {
    push_bytes(L, c);
    return 2;
  }
  lua_pushinteger(L, c.status);
  push_last_bytes(L, c);
  return 3;
}

// ---- a call of its own ----

constexpr int runtime_upvalue = 3;
constexpr int method_upvalue = 4;

/// After the wait. What the fiber waited for is where its record has its place.
int finish(lua_State* L, state& s) {
  fiber& f = *s.current;
  auto* const c = static_cast<call*>(f.record.place);
  if (f.winner == core::winner_cancelled) {
    if (c) s.foreign->leave(*c);
    raise_cancelled(L, s, f);
  }
  const int results = f.winner == 0 ? push_answer(L, *c) : push_timeout(L);
  s.foreign->leave(*c);
  return results;
}
WEFT_CONTINUATION(woken) { return finish(L, s); }

int foreign_finish(lua_State* L) { return finish(L, state_of(L)); }

/// Publishes the wait: for the answer alone, or for the answer and the time-out.
void await(state& s, fiber& f, call& c, core::wait_record* two, core::nanoseconds end) noexcept {
  f.record.place = &c;
  core::wait_record& answer = two ? two[0] : f.record;
  begin(f);
  answer.owner = &f;
  answer.arm = 0;
  c.fleeting = true;
  c.waiters.push_back(answer);
  if (!two) return;
  f.arms = two;
  f.arm_count = 2;
  two[1].owner = &f;
  two[1].arm = 1;
  s.at().arm_timer(two[1], end);
}

/// method(self, request)
int call_now(lua_State* L) {
  state& s = state_of(L);
  auto& rt = *static_cast<runtime*>(lua_touserdata(L, lua_upvalueindex(runtime_upvalue)));
  auto* const method =
      static_cast<const char*>(lua_touserdata(L, lua_upvalueindex(method_upvalue)));
  fiber& f = running_fiber(L, s, method);
  retract(f, s);
  f.record.place = nullptr;
  if (f.cancel_pending) [[unlikely]]
    return raise_at_next_turn(L, s, f);
  if (!may_yield(L, s)) [[unlikely]]
    refuse_yield(L, s, f);
  core::wait_record* two = nullptr;
  foreign::request what = request_at(L, s, method, 2);
  what.method = method;
  if (rt.timeout != core::forever && !(two = s.at().records().allocate(2))) {
    if (what.release) what.release(what.owner);
    raise(L, "not enough memory");
  }
  const core::nanoseconds end = end_of_request(s, rt);
  const host::posting p = post(s, rt, what, std::min(end, deadline_around(f)));
  if (!p.made) {
    if (two) s.at().records().release(two, 2);
    push_status(L, true);
    return spend(L, s, f, push_failure(L, p.how) + statuses);
  }
  push_status(L, false);
  await(s, f, *p.made, two, end);
  return park(L, s, f, waits_for, 0, woken);
}

// ---- its operation: one performance, made by a guard ----

struct call_operation : operation {
  call_object* object;  // reference 1
  runtime* of;          // reference 3; reference 2 is the request
  const char* method;
  host::outcome refused;  // if it could not be posted
};

call_operation& of(operation& o) { return static_cast<call_operation&>(o); }

/// What refuses it can be told at once.
bool call_ready(state&, fiber&, operation& o) {
  if (const call* const c = of(o).object->it) return c->arrived;
  runtime& rt = *of(o).of;
  return !rt.lives() || rt.tasks->full();
}
int call_attempt(lua_State* L, state&, fiber&, operation& o, int) {
  call_operation& c = of(o);
  if (!c.object->it)
    return push_failure(L, c.of->lives() ? host::outcome::full : host::outcome::finished);
  const int results = push_answer(L, *c.object->it);
  c.object->end();
  return results;
}
/// Asks, unless another arm's publishing has led to a second look at all of them.
void call_publish_in_lua(lua_State* L, state& s, fiber& f, operation& o, core::wait_record& r,
                         int index) {
  call_operation& c = of(o);
  if (!c.object->it) {
    get_reference(L, index, 2);
    foreign::request what = request_at(L, s, c.method, lua_gettop(L));
    what.method = c.method;
    const core::nanoseconds deadline = std::min(end_of_request(s, *c.of), deadline_around(f));
    const host::posting p = post(s, *c.of, what, deadline);
    if (!p.made) {
      c.refused = p.how;
      f.complete_at_home(r.arm);
      s.at().ready(f);
      return;
    }
    *c.object = {p.made, s.foreign};
    p.made->holder = &c.object->it;
  }
  c.object->it->waiters.push_back(r);
}
int call_settle(lua_State* L, state&, fiber&, operation& o, int) {
  call_object& object = *of(o).object;
  if (!object.it) return push_failure(L, of(o).refused);
  const int results = push_answer(L, *object.it);
  object.end();
  return results;
}
const operation_kind call_kind = {.waits_for = waits_for,
                                  .ready = call_ready,
                                  .attempt = call_attempt,
                                  .publish = nullptr,
                                  .settle = call_settle,
                                  .publish_in_lua = call_publish_in_lua};

int object_gc(lua_State* L) {
  static_cast<call_object*>(lua_touserdata(L, 1))->end();
  return 0;
}

/// An object on top.
call_object& new_object(lua_State* L, anchor type) {
  auto* o = ::new (new_userdata(L, sizeof(call_object), 1)) call_object();
  push_anchor(L, type);
  lua_setmetatable(L, -2);
  return *o;
}

runtime& runtime_at(lua_State* L, state& s, int arg) {
  auto* rt = static_cast<runtime*>(userdata_of(L, s, arg, anchor_foreign_mt));
  if (!rt) luaL_error(L, "not a runtime");
  return *rt;
}

/// A method's name, which stays for good.
const char* check_name(lua_State* L, int arg) {
  const char* const name = foreign::lasting_name(luaL_checkstring(L, arg));
  if (!name) raise(L, "too many names of methods: they stay in memory, a MiB in all");
  return name;
}

/// foreign_op(runtime, method, request) -> the operation of one performance.
int foreign_op(lua_State* L) {
  state& s = state_of(L);
  runtime& rt = runtime_at(L, s, 1);
  const char* const method = check_name(L, 2);
  check_request(L, s, method, 3);
  lua_settop(L, 3);
  call_object& object = new_object(L, anchor_foreign_call_mt);
  auto& o = new_operation<call_operation>(L, s, call_kind, 3);
  o.object = &object;
  o.of = &rt;
  o.method = method;
  o.refused = host::outcome::finished;
  for (const auto& [from, place] : {std::pair{4, 1}, std::pair{3, 2}, std::pair{1, 3}}) {
    lua_pushvalue(L, from);
    set_reference(L, 5, place);
  }
  return 1;
}

/// foreign_check(method, request): raises if it is none.
int foreign_check(lua_State* L) {
  check_request(L, state_of(L), luaL_checkstring(L, 1), 2);
  return 0;
}

/// foreign_abandon(op): the performance has lost or was cancelled.
int foreign_abandon(lua_State* L) {
  operation* o = operation_at(L, state_of(L), 1);
  if (o && o->kind == &call_kind) of(*o).object->end();
  return 0;
}

// ---- an answer in parts ----

struct stream_operation : operation {
  call_object* object;  // reference 1
};

call_object& stream_of(operation& o) { return *static_cast<stream_operation&>(o).object; }

int push_part(lua_State* L, call& c) {
  lua_pushlstring(L, c.first_part->data, c.first_part->size);
  host::free_part(host::take_part(c));
  return 1;
}

/// The end: the last part, if there is one; or nil, message, the library's integer; or the
/// time-out.
int push_end(lua_State* L, call_object& object) {
  call& c = *object.it;
  if (c.expired) {
    object.end();
    lua_pushnil(L);
    lua_pushliteral(L, "timeout");
    lua_pushliteral(L, "timeout");
    return 3;
  }
  int results = 1;
  if (c.status == 0) {
    push_last_bytes(L, c);
  } else {
    lua_pushnil(L);
    push_last_bytes(L, c);
    lua_pushinteger(L, c.status);
    results = 3;
  }
  object.end();
  return results;
}

bool stream_ready(state&, fiber&, operation& o) {
  const call* const c = stream_of(o).it;
  return !c || c->first_part || c->arrived || c->expired;
}
int stream_attempt(lua_State* L, state&, fiber&, operation& o, int) {
  call_object& object = stream_of(o);
  if (!object.it) return lua_pushnil(L), 1;
  if (object.it->first_part) return push_part(L, *object.it);
  return object.it->arrived || object.it->expired ? push_end(L, object) : not_ready;
}
void stream_publish(state&, fiber&, operation& o, core::wait_record& r) {
  stream_of(o).it->waiters.push_back(r);
}
int stream_settle(lua_State* L, state& s, fiber& f, operation& o, int index) {
  if (f.closed) return push_closed(L);
  return stream_attempt(L, s, f, o, index);
}
const operation_kind stream_kind = {.waits_for = "a part of a foreign library's answer",
                                    .ready = stream_ready,
                                    .attempt = stream_attempt,
                                    .publish = stream_publish,
                                    .settle = stream_settle,
                                    .lasting = true};

/// foreign_stream(runtime, method, request) -> a stream; or false, why.
int foreign_stream(lua_State* L) {
  state& s = state_of(L);
  runtime& rt = runtime_at(L, s, 1);
  const char* const method = check_name(L, 2);
  running_fiber(L, s, method);
  check_request(L, s, method, 3);
  call_object& object = new_object(L, anchor_parts_mt);
  const int place = lua_gettop(L);
  new_operation<stream_operation>(L, s, stream_kind, 1).object = &object;
  lua_pushvalue(L, place);
  set_reference(L, -2, 1);
  set_reference(L, place, 1);
  foreign::request what = request_at(L, s, method, 3);
  what.method = method;
  const core::nanoseconds end = end_of_request(s, rt);
  const host::posting p = post(s, rt, what, end);
  if (!p.made) return push_failure(L, p.how);
  object = {p.made, s.foreign};
  p.made->holder = &object.it;
  p.made->streams = true;
  if (end != core::forever) s.foreign->bound(*p.made, end);
  lua_settop(L, place);
  return 1;
}

call_object& check_stream(lua_State* L, const char* method) {
  auto* o = static_cast<call_object*>(userdata_of(L, state_of(L), 1, anchor_parts_mt));
  if (!o) bad_argument(L, method, 1, "stream of parts");
  return *o;
}

int stream_read_op(lua_State* L) {
  check_stream(L, "read_op");
  get_reference(L, 1, 1);
  return 1;
}
int stream_close(lua_State* L) {
  call_object& object = check_stream(L, "close");
  if (object.it) {
    while (core::wait_record* r = object.it->waiters.pop_front()) {
      core::task& waiter = *r->owner;
      if (!waiter.complete_at_home(r->arm)) continue;  // another arm of its choice has won
      waiter.closed = true;
      waiter.kind->wake(waiter);
    }
  }
  object.end();
  lua_pushboolean(L, 1);
  return 1;
}
int stream_tostring(lua_State* L) {
  const call_object& object = check_stream(L, "tostring");
  lua_pushfstring(L, "weft.parts: %s", object.it ? "open" : "ended");
  return 1;
}

// ---- runtimes ----

int runtime_gc(lua_State* L) {
  auto& rt = *static_cast<runtime*>(lua_touserdata(L, 1));
  if (rt.lives()) rt.tasks->finish();  // in a child of a fork its lock may be held for good
  std::free(std::exchange(rt.message, nullptr));
  return 0;
}

/// foreign_load(file, config or nil, max_queue, is_global, timeout or nil) -> handle; or nil,
/// message, code, what init has returned.
int foreign_load(lua_State* L) {
  const char* file = luaL_checkstring(L, 1);
  foreign::load_options options;
  options.config = luaL_optstring(L, 2, nullptr);
  options.max_queue = static_cast<std::size_t>(luaL_checkinteger(L, 3));
  options.is_global = lua_toboolean(L, 4);
  auto& rt = *::new (new_userdata(L, sizeof(runtime), 0)) runtime();
  push_anchor(L, anchor_foreign_mt);
  lua_setmetatable(L, -2);
  if (!lua_isnoneornil(L, 5)) rt.timeout = check_duration(L, "load", 5);
  rt.forks = core::forks_of_process();
  const foreign::loaded l = foreign::load(file, options);
  rt.tasks = l.tasks;
  rt.message = l.message;
  if (rt.tasks) return 1;
  lua_pushnil(L);
  lua_pushstring(L, rt.message ? rt.message : "not enough memory");
  lua_pushstring(L, l.code);
  lua_pushinteger(L, l.status);
  return 4;
}

/// foreign_path(path) -> the same without links and detours; or nil.
int foreign_path(lua_State* L) {
  char resolved[PATH_MAX];
  if (!::realpath(luaL_checkstring(L, 1), resolved)) return 0;
  lua_pushstring(L, resolved);
  return 1;
}

/// foreign_method(runtime, name) -> function(self, request)
int foreign_method(lua_State* L) {
  runtime_at(L, state_of(L), 1);
  const char* const name = check_name(L, 2);
  lua_pushvalue(L, lua_upvalueindex(state_upvalue));
  lua_pushvalue(L, lua_upvalueindex(anchors_upvalue));
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, const_cast<char*>(name));
  lua_pushcclosure(L, call_now, 4);
  return 1;
}

int foreign_unload(lua_State* L) {
  runtime& rt = runtime_at(L, state_of(L), 1);
  if (rt.lives()) rt.tasks->finish();
  return 0;
}
int foreign_lives(lua_State* L) {
  lua_pushboolean(L, runtime_at(L, state_of(L), 1).lives());
  return 1;
}

const luaL_Reg collected[] = {{"__gc", object_gc}, {nullptr, nullptr}};
const luaL_Reg runtime_metamethods[] = {{"__gc", runtime_gc}, {nullptr, nullptr}};
const luaL_Reg stream_methods[] = {
    {"read_op", stream_read_op}, {"close", stream_close}, {nullptr, nullptr}};
const luaL_Reg stream_metamethods[] = {{"__gc", object_gc},
                                       {"__close", stream_close},
                                       {"__tostring", stream_tostring},
                                       {nullptr, nullptr}};
const luaL_Reg functions[] = {{"foreign_load", foreign_load},
                              {"foreign_method", foreign_method},
                              {"foreign_finish", foreign_finish},
                              {"foreign_op", foreign_op},
                              {"foreign_check", foreign_check},
                              {"foreign_abandon", foreign_abandon},
                              {"foreign_stream", foreign_stream},
                              {"foreign_unload", foreign_unload},
                              {"foreign_lives", foreign_lives},
                              {"foreign_path", foreign_path},
                              {nullptr, nullptr}};

}  // namespace

void open_foreign(lua_State* L) {
  add_type(L, anchor_foreign_mt, "weft.foreign", nullptr, runtime_metamethods);
  add_type(L, anchor_foreign_call_mt, "weft.foreign_call", nullptr, collected);
  add_type(L, anchor_parts_mt, "weft.parts", stream_methods, stream_metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
