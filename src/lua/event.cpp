// SPDX-License-Identifier: MIT
#include "lua/event.hpp"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "lua/api.hpp"
#include "lua/arguments.hpp"

namespace weft::inline v0::lua {

// ---- values ----

void* copy_values(std::size_t before, const weft_value* values, std::size_t count) noexcept {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i)
    if (values[i].type == WEFT_BYTES) bytes += values[i].as.bytes.size;
  auto* block = static_cast<char*>(std::malloc(before + count * sizeof(weft_value) + bytes));
  if (!block) return nullptr;
  auto* copies = reinterpret_cast<weft_value*>(block + before);
  char* room = reinterpret_cast<char*>(copies + count);
  for (std::size_t i = 0; i < count; ++i) {
    copies[i] = values[i];
    if (values[i].type != WEFT_BYTES) continue;
    const std::size_t size = values[i].as.bytes.size;
    if (size > 0) std::memcpy(room, values[i].as.bytes.data, size);
    copies[i].as.bytes.data = room;
    room += size;
  }
  return block;
}

namespace {

void push_integer(lua_State* L, std::int64_t n) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, static_cast<lua_Integer>(n));
#else
  lua_pushnumber(L, static_cast<lua_Number>(n));
#endif
}

void push_value(lua_State* L, const weft_value& v) {
  switch (v.type) {
    case WEFT_BOOLEAN: return lua_pushboolean(L, v.as.boolean);
    case WEFT_INTEGER: return push_integer(L, v.as.integer);
    case WEFT_NUMBER: return lua_pushnumber(L, v.as.number);
    case WEFT_BYTES: return (void)lua_pushlstring(L, v.as.bytes.data, v.as.bytes.size);
    case WEFT_POINTER: return lua_pushlightuserdata(L, v.as.pointer);
    default: return lua_pushnil(L);
  }
}

weft_value to_number(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, index)) return weft_integer(lua_tointeger(L, index));
#else
  constexpr double limit = 9007199254740992.0;  // up to here each integer is a double
  const double n = lua_tonumber(L, index);
  if (n == std::floor(n) && n <= limit && n >= -limit)
    return weft_integer(static_cast<std::int64_t>(n));
#endif
  return weft_number(lua_tonumber(L, index));
}

/// The bytes stay Lua's.
weft_value to_value(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: return weft_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER: return to_number(L, index);
    case LUA_TLIGHTUSERDATA: return weft_pointer(lua_touserdata(L, index));
    case LUA_TSTRING: {
      std::size_t size = 0;
      const char* data = lua_tolstring(L, index, &size);
      return weft_bytes(data, size);
    }
    default: return weft_nil();
  }
}

}  // namespace

void push_values(lua_State* L, const weft_value* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) push_value(L, values[i]);
}

// ---- replies ----

reply::~reply() { std::free(values_); }

void reply::drop_reference() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool reply::give(int status, weft_value* values, std::size_t count) noexcept {
  const std::lock_guard held(mutex_);
  if (decided_ || left_) {
    std::free(values);
    return decided_;
  }
  decided_ = true;
  status_ = status;
  values_ = values;
  count_ = count;
  given_.notify_one();
  return true;
}

int reply::await(core::nanoseconds due, weft_results* results) noexcept {
  std::unique_lock held(mutex_);
  const auto decided = [this] { return decided_; };
  if (due == core::forever)
    given_.wait(held, decided);
  else
    given_.wait_until(held, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(due)),
                      decided);
  if (!decided_) {
    left_ = true;
    return WEFT_TIMEOUT;
  }
  if (results) *results = {std::exchange(values_, nullptr), count_};
  return status_;
}

namespace {

struct reply_box {
  reply* it;
};

int reply_gc(lua_State* L) {
  auto& box = *static_cast<reply_box*>(lua_touserdata(L, 1));
  if (reply* it = std::exchange(box.it, nullptr)) {
    it->give(WEFT_CLOSED, nullptr, 0);
    it->drop_reference();
  }
  return 0;
}

/// reply(box, ok, ...) -> whether somebody still waits. The values are ones that can cross.
int reply_give(lua_State* L) {
  auto& box = *static_cast<reply_box*>(lua_touserdata(L, 1));
  const bool ok = lua_toboolean(L, 2);
  const int count = lua_gettop(L) - 2;
  auto* values = static_cast<weft_value*>(
      lua_newuserdata(L, static_cast<std::size_t>(count + 1) * sizeof(weft_value)));
  for (int i = 0; i < count; ++i) values[i] = to_value(L, i + 3);
  const auto n = static_cast<std::size_t>(count);
  auto* copies = static_cast<weft_value*>(copy_values(0, values, n));
  const bool waits = copies ? box.it->give(ok ? WEFT_OK : WEFT_ERROR, copies, n)
                            : box.it->give(WEFT_NO_MEMORY, nullptr, 0);
  std::exchange(box.it, nullptr)->drop_reference();
  lua_pushboolean(L, waits);
  return 1;
}

}  // namespace

void push_reply(lua_State* L, reply& r) {
  auto* box = ::new (new_userdata(L, sizeof(reply_box), 0)) reply_box{nullptr};
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "reply_mt");
  lua_setmetatable(L, -2);
  r.add_reference();
  box->it = &r;
}

// ---- weft.h ----

namespace {

/// Calls one of our functions for a caller that is not: results for `arguments` on top.
void call_internal(lua_State* L, lua_CFunction f, int arguments, int results) {
  if (!push_function(L, f)) luaL_error(L, "weft is not loaded in this state");
  lua_insert(L, -(arguments + 1));
  lua_call(L, arguments, results);
}

/// -> its address; its reference is the state's own still.
int make_shared_state(lua_State* L) {
  lua_pushlightuserdata(L, &shared_of(L, state_of(L)));
  return 1;
}

weft_state* api_state_of(lua_State* L) {
  call_internal(L, make_shared_state, 0, 1);
  auto* shared = static_cast<shared_state*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  shared->add_reference();
  return shared;
}
void api_state_release(weft_state* s) { static_cast<shared_state*>(s)->drop_reference(); }

int api_enter(weft_state* s, std::int64_t timeout, lua_State** L) {
  return static_cast<shared_state*>(s)->enter(timeout, L);
}
void api_leave(weft_state* s) { static_cast<shared_state*>(s)->leave(); }

/// (function) -> address of its handler
int make_handler(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  shared_state& shared = shared_of(L, state_of(L));
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "handlers");
  lua_pushvalue(L, 1);
  const int place = luaL_ref(L, -2);
  auto* last = static_cast<posted_event*>(std::malloc(sizeof(posted_event)));
  auto* h = new (std::nothrow) handler{};
  if (!last || !h) {
    std::free(last);
    delete h;
    return luaL_error(L, "not enough memory");
  }
  h->api = &api;
  h->home = &shared;
  h->place = place;
  h->last = ::new (last) posted_event{nullptr, h, nullptr, true, 0};
  shared.add_reference();
  lua_pushlightuserdata(L, h);
  return 1;
}

weft_handler* api_handler_new(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TFUNCTION);
  lua_pushvalue(L, index);
  call_internal(L, make_handler, 1, 1);
  auto* h = static_cast<handler*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return h;
}

/// Behind the events that were posted to it before.
void api_handler_release(weft_handler* token) {
  auto* h = static_cast<handler*>(token);
  shared_state* home = h->home;
  if (home->is_inherited()) return;  // what was posted to it still points there
  home->push(h->last);
  home->drop_reference();
}

posted_event* make_event(weft_handler* h, const weft_value* values, std::size_t count,
                         reply* caller) noexcept {
  void* block = copy_values(sizeof(posted_event), values, count);
  if (!block) return nullptr;
  return ::new (block) posted_event{nullptr, static_cast<handler*>(h), caller, false, count};
}

int api_post(weft_handler* h, const weft_value* values, std::size_t count, std::int64_t timeout) {
  posted_event* e = make_event(h, values, count, nullptr);
  if (!e) return WEFT_NO_MEMORY;
  const int status = static_cast<handler*>(h)->home->post(e, timeout);
  if (status != WEFT_OK) std::free(e);
  return status;
}

int api_call(weft_handler* h, const weft_value* values, std::size_t count, std::int64_t timeout,
             weft_results* results) {
  shared_state& home = *static_cast<handler*>(h)->home;
  if (results) *results = {nullptr, 0};
  if (home.is_closed()) return WEFT_CLOSED;
  if (home.holds_one()) return WEFT_HELD;
  const core::nanoseconds due = deadline_after(timeout);
  auto* caller = new (std::nothrow) reply;
  posted_event* e = caller ? make_event(h, values, count, caller) : nullptr;
  int status = WEFT_NO_MEMORY;
  if (e) {
    caller->add_reference();
    status = home.post(e, timeout);
    if (status == WEFT_OK) {
      status = caller->await(due, results);
    } else {
      caller->drop_reference();
      std::free(e);
    }
  }
  if (caller) caller->drop_reference();
  return status;
}

// ---- for lua/weft/embed.lua ----

/// set_answer(f): f(box, handler, ...) runs an event that a thread waits for.
int set_answer(lua_State* L) {
  lua_settop(L, 1);
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "answer");
  return 0;
}
/// set_guard(f or nil): f(handler, ...) runs each other event.
int set_guard(lua_State* L) {
  lua_settop(L, 1);
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "guard");
  return 0;
}

const luaL_Reg functions[] = {{"reply", reply_give},
                              {"set_answer", set_answer},
                              {"set_guard", set_guard},
                              {nullptr, nullptr}};

}  // namespace

const weft_api api = {
    .size = sizeof(weft_api),
    .version = WEFT_ABI_VERSION,
    .state_of = api_state_of,
    .state_release = api_state_release,
    .enter = api_enter,
    .leave = api_leave,
    .handler_new = api_handler_new,
    .handler_release = api_handler_release,
    .post = api_post,
    .call = api_call,
    .completion_new = api_completion_new,
    .complete = api_complete,
    .blocking = api_blocking,
    .leave_for = api_leave_for,
    .push_function = api_push_function,
    .event_fd = api_event_fd,
    .step = api_step,
    .wait_events = api_wait_events,
    .yield = api_yield,
};

void open_gate(lua_State* L) {
  lua_newtable(L);
  lua_pushcfunction(L, reply_gc);
  lua_setfield(L, -2, "__gc");
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "reply_mt");
  lua_pushlightuserdata(L, const_cast<weft_api*>(&api));
  lua_setfield(L, LUA_REGISTRYINDEX, "weft.h");
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
