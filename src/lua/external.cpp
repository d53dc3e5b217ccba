// SPDX-License-Identifier: MIT
// Operations that a native thread completes: weft_completion.
#include <cstdlib>
#include <new>
#include <utility>

#include "lua/api.hpp"
#include "lua/event.hpp"
#include "lua/operation.hpp"
#include "weft/core/completion.hpp"

namespace weft::inline v0::lua {

void open_external(lua_State* L);

namespace {

class external final : public core::completion, public weft_completion {
 public:
  explicit external(core::worker& home) noexcept
      : core::completion(home), weft_completion{&lua::api} {}

  weft_value* values = nullptr;  // a block of copy_values, from before finish()
  std::size_t count = 0;

 private:
  ~external() override { std::free(values); }
};

struct external_box {
  external* it;
};
struct external_operation : operation {
  external_box* box;  // reference 1
};

int push_outcome(lua_State* L, const external& it) {
  luaL_checkstack(L, static_cast<int>(it.count), "too many values in a completion");
  push_values(L, it.values, it.count);
  return static_cast<int>(it.count);
}

bool external_ready(state&, fiber&, operation& o) {
  return static_cast<external_operation&>(o).box->it->arrived();
}
int external_attempt(lua_State* L, state&, fiber&, operation& o, int) {
  return push_outcome(L, *static_cast<external_operation&>(o).box->it);
}
void external_publish(state&, fiber&, operation& o, core::wait_record& r) {
  static_cast<external_operation&>(o).box->it->await(r);
}
const operation_kind external_kind = {"a native thread", external_ready, external_attempt,
                                      external_publish, external_attempt};

int external_gc(lua_State* L) {
  auto& box = *static_cast<external_box*>(lua_touserdata(L, 1));
  if (external* it = std::exchange(box.it, nullptr)) it->drop_reference();
  return 0;
}

/// -> operation, address of its completion
int make_external(lua_State* L) {
  state& s = state_of(L);
  if (!s.worker)
    return luaL_error(
        L, "weft_completion_new needs a runtime: inside weft.run, or after weft.embed.attach");
  auto& operation = new_operation<external_operation>(L, s, external_kind, 1);
  operation.box = ::new (new_userdata(L, sizeof(external_box), 0)) external_box{nullptr};
  external_box& box = *operation.box;
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "external_mt");
  lua_setmetatable(L, -2);
  set_reference(L, -2, 1);
  box.it = new (std::nothrow) external(s.at());
  if (!box.it) return luaL_error(L, "not enough memory");
  lua_pushlightuserdata(L, static_cast<weft_completion*>(box.it));
  return 2;
}

}  // namespace

weft_completion* api_completion_new(lua_State* L) {
  if (!push_function(L, make_external)) luaL_error(L, "weft is not loaded in this state");
  lua_call(L, 0, 2);
  auto* c = static_cast<weft_completion*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return c;
}

int api_complete(weft_completion* c, const weft_value* values, std::size_t count) {
  auto* it = static_cast<external*>(c);
  it->values = static_cast<weft_value*>(copy_values(0, values, count));
  if (it->values) it->count = count;
  const bool lost = !it->values && count > 0;
  const bool gone = it->is_home_gone();
  it->finish();
  if (gone) return WEFT_CLOSED;
  return lost ? WEFT_NO_MEMORY : WEFT_OK;
}

void open_external(lua_State* L) {
  lua_newtable(L);
  lua_pushcfunction(L, external_gc);
  lua_setfield(L, -2, "__gc");
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "external_mt");
}

}  // namespace weft::inline v0::lua
