// SPDX-License-Identifier: MIT
// C functions that block: weft_blocking gives the call to a helper thread while the fiber waits,
// weft_leave_for runs it outside the gate.
#include <atomic>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "lua/api.hpp"
#include "lua/arguments.hpp"
#include "lua/fiber.hpp"
#include "weft/core/completion.hpp"
#include "weft/core/forks.hpp"
#include "weft/core/helpers.hpp"

namespace weft::inline v0::lua {

void open_blocking(lua_State* L);

namespace {

struct finished_work final : core::completion {
  using core::completion::completion;
  std::atomic<bool> over{false};
  const unsigned forks = core::forks_of_process();

  /// Until then its argument is in use. A child of the process has not got the thread.
  void wait() noexcept {
    if (forks == core::forks_of_process()) over.wait(false, std::memory_order_acquire);
  }
};

class work_job final : public core::helper_job {
 public:
  work_job(finished_work& done, void (*work)(void*), void* arg) noexcept
      : done_(done), work_(work), arg_(arg) {}
  void run() noexcept override {
    work_(arg_);
    done_.over.store(true, std::memory_order_release);
    done_.over.notify_one();
    done_.finish();
  }

 private:
  finished_work& done_;
  void (*const work_)(void*);
  void* const arg_;
};

/// On the stack of the C function while it waits.
struct work_box {
  finished_work* done;
  void* arg;
  lua_CFunction then;
};

int box_gc(lua_State* L) {
  auto& box = *static_cast<work_box*>(lua_touserdata(L, 1));
  finished_work* const done = std::exchange(box.done, nullptr);
  if (!done) return 0;
  done->wait();  // longer only where a state is closed meanwhile
  done->drop_reference();
  return 0;
}

/// The box on top gives way to the argument, and `then` ends the C function.
int go_on(lua_State* L) {
  const auto& box = *static_cast<work_box*>(lua_touserdata(L, -1));
  void* arg = box.arg;
  const lua_CFunction then = box.then;
  lua_pop(L, 1);
  lua_pushlightuserdata(L, arg);
  return then(L);
}

// The C function is not one of ours: there are no upvalues to find the state by.
#if LUA_VERSION_NUM >= 503
int blocking_woken(lua_State* L, int, lua_KContext) { return go_on(L); }
#else
int blocking_woken(lua_State* L) { return go_on(L); }
#endif

/// -> a box, with the metatable that the anchors keep. For a C function that is not ours.
int make_box(lua_State* L) {
  ::new (new_userdata(L, sizeof(work_box), 0)) work_box{};
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "work_mt");
  lua_setmetatable(L, -2);
  return 1;
}

/// Null: no thread for it, or no memory.
finished_work* start(core::worker& home, void (*work)(void*), void* arg) noexcept {
  finished_work* done = new (std::nothrow) finished_work(home);
  if (!done) return nullptr;
  try {
    core::run_on_helper(std::make_unique<work_job>(*done, work, arg));
    return done;
  } catch (const std::exception&) {
    done->finish();
    done->drop_reference();
    return nullptr;
  }
}

/// Whether the C function whose frame L is in may wait for something.
fiber* waiting_fiber(lua_State* L, state* s) {
  fiber* f = s ? s->current : nullptr;
  if (!f || (L != f->co && L != s->inner)) return nullptr;
  return may_yield(L, *s) ? f : nullptr;
}

#if LUA_VERSION_NUM < 502
/// after_blocking(...): what a C function has returned, or the box that it waited with.
int after_blocking(lua_State* L) {
  void* box = lua_touserdata(L, 1);
  if (!box || !lua_getmetatable(L, 1)) return lua_gettop(L);
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "work_mt");
  const bool ours = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  if (!ours) return lua_gettop(L);
  lua_settop(L, 1);
  return go_on(L);
}
#endif

}  // namespace

int api_blocking(lua_State* L, void (*work)(void*), void* arg, lua_CFunction then) {
  state* s = find_state(L);
  fiber* f = waiting_fiber(L, s);
  if (!f) {
    api_leave_for(L, work, arg);
    lua_pushlightuserdata(L, arg);
    return then(L);
  }
  retract(*f, *s);
  luaL_checkstack(L, 4, "no room to wait");
  push_function(L, make_box);
  lua_call(L, 0, 1);
  auto& box = *static_cast<work_box*>(lua_touserdata(L, -1));
  box.arg = arg;
  box.then = then;
  box.done = start(s->at(), work, arg);
  if (!box.done) return luaL_error(L, "no thread for a blocking call");
  begin(*f, true);
  f->record.owner = f;
  f->record.arm = 0;
  box.done->await(f->record);
  return park(L, *s, *f, "a blocking call", 0, blocking_woken);
}

void api_leave_for(lua_State* L, void (*work)(void*), void* arg) {
  state* s = find_state(L);
  if (s && s->shared)
    s->shared->leave_for(work, arg);
  else
    work(arg);
}

void api_push_function(lua_State* L, lua_CFunction f) {
#if LUA_VERSION_NUM >= 502
  lua_pushcfunction(L, f);
#else
  lua_getfield(L, LUA_REGISTRYINDEX, "weft.blocking");
  lua_pushcfunction(L, f);
  lua_call(L, 1, 1);
#endif
}

void open_blocking(lua_State* L) {
  lua_newtable(L);
  lua_pushcfunction(L, box_gc);
  lua_setfield(L, -2, "__gc");
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "work_mt");
#if LUA_VERSION_NUM < 502
  // 5.1: the frame around a C function that may end with a wait.
  static const char frame[] =
      "local after = ...\n"
      "return function(f) return function(...) return after(f(...)) end end";
  if (luaL_loadbuffer(L, frame, sizeof frame - 1, "=weft.h") != 0) lua_error(L);
  push_internal(L, after_blocking);
  lua_call(L, 1, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "weft.blocking");
#endif
}

}  // namespace weft::inline v0::lua
