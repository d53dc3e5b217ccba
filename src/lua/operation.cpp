// SPDX-License-Identifier: MIT
#include "lua/operation.hpp"

#include "lua/shared.hpp"
#include "lua/wait.hpp"

namespace weft::inline v0::lua {

namespace {

/// The arms of an operation: a leaf is its own only arm.
class arm_view {
 public:
  explicit arm_view(operation& o) noexcept
      : list(o.kind == &choice_kind ? static_cast<choice*>(&o) : nullptr),
        single_{&o, false},
        first_(list ? list->arms : &single_),
        count_(list ? list->count : 1) {}
  arm_view(const arm_view&) = delete;
  arm_view& operator=(const arm_view&) = delete;

  std::uint32_t count() const noexcept { return count_; }
  const choice_arm& operator[](std::uint32_t i) const noexcept { return first_[i]; }
  bool simple() const noexcept { return list ? list->simple : kind().simple >= 0; }
  bool dynamic() const noexcept { return list ? list->dynamic : kind().dynamic; }
  bool offers() const noexcept { return list ? list->offers : kind().offers; }
  bool in_lua() const noexcept { return list ? list->in_lua : kind().publish_in_lua != nullptr; }

  bool shared() const noexcept { return list ? list->shared : kind().shared != nullptr; }

  const choice* const list;

 private:
  const operation_kind& kind() const noexcept { return *single_.leaf->kind; }

  const choice_arm single_;
  const choice_arm* const first_;
  const std::uint32_t count_;
};

/// Pushes the userdata of arm i; the operation performed is at `index`.
void push_leaf(lua_State* L, const arm_view& arms, int index, std::uint32_t i) {
  if (!arms.list) {
    lua_pushvalue(L, index);
    return;
  }
  push_table_of(L, index);
  lua_rawgeti(L, -1, static_cast<int>(i + 1));
  lua_remove(L, -2);
}

/// Pushes how the results of arm i are treated: true, or its wraps.
void push_how(lua_State* L, const arm_view& arms, int index, std::uint32_t i) {
  if (!arms[i].wrapped) {
    lua_pushboolean(L, 1);
    return;
  }
  push_table_of(L, index);
  lua_rawgeti(L, -1, static_cast<int>(arms.count() + i + 1));
  lua_remove(L, -2);
}

/// Arms that have failed in this try, so that they are not picked again.
class tried_arms {
 public:
  void add(std::uint32_t i) noexcept {
    if (i < 64)
      mask_ |= std::uint64_t{1} << i;
    else
      from_ = i + 1;
  }
  bool has(std::uint32_t i) const noexcept { return i < 64 ? mask_ >> i & 1 : i < from_; }
  bool ordered() const noexcept { return from_ > 0; }

 private:
  std::uint64_t mask_ = 0;
  std::uint32_t from_ = 0;  // beyond the mask they are tried in order
};

/// One of the arms that say they are ready, each with the same chance; count() if there is none.
std::uint32_t pick(state& s, fiber& f, const arm_view& arms, const tried_arms* tried) {
  std::uint32_t chosen = arms.count();
  std::uint32_t seen = 0;
  for (std::uint32_t i = 0, n = arms.count(); i < n; ++i) {
    operation& leaf = *arms[i].leaf;
    if ((tried && tried->has(i)) || !leaf.kind->ready(s, f, leaf)) continue;
    if (tried && i >= 64 && tried->ordered()) return seen ? chosen : i;
    if (++seen == 1 || s.at().random().below(seen) == 0) chosen = i;
  }
  return chosen;
}

/// Completes one ready arm: leaves how and the results, and returns their number, or not_ready.
int try_arms(lua_State* L, state& s, fiber& f, const arm_view& arms, int index) {
  tried_arms tried;
  std::uint32_t i = pick(s, f, arms, nullptr);
  if (i == arms.count()) return not_ready;
  const int base = lua_gettop(L);
  const std::uint32_t winner = f.winner;  // of the wait whose block function tries this
  for (; i != arms.count(); i = pick(s, f, arms, &tried)) {
    tried.add(i);
    f.winner = i;  // in case it raises
    push_leaf(L, arms, index, i);
    push_how(L, arms, index, i);
    operation& leaf = *arms[i].leaf;
    const int results = leaf.kind->attempt(L, s, f, leaf, base + 1);
    f.winner = winner;
    if (results != not_ready) return results + 1;
    lua_settop(L, base);
  }
  return not_ready;
}

/// Pushes the default's functions as `how`, without values.
int take_default(lua_State* L, int index) {
  push_table_of(L, index);
  lua_rawgeti(L, -1, 0);
  lua_remove(L, -2);
  return 1;
}

/// An operation with guards or nacks is put together anew for each perform, by dynamic.lua: how is
/// its function, with the operation and whether it may wait.
int force(lua_State* L, bool may_wait) {
  push_anchor(L, anchor_report);
  lua_getfield(L, -1, "force");
  lua_replace(L, -2);
  lua_pushvalue(L, 1);
  lua_pushboolean(L, may_wait);
  return 3;
}

void publish_in_lua(lua_State* L, state& s, fiber& f, const arm_view& arms, int index,
                    core::wait_record& r) {
  const int top = lua_gettop(L);
  operation& leaf = *arms[r.arm].leaf;
  push_leaf(L, arms, index, r.arm);
  leaf.kind->publish_in_lua(L, s, f, leaf, r, top + 1);
  lua_settop(L, top);
}

/// Whether a block function has made another arm ready.
bool made_ready(state& s, fiber& f, const arm_view& arms) {
  for (std::uint32_t i = 0, n = arms.count(); i < n; ++i) {
    operation& leaf = *arms[i].leaf;
    if (!leaf.kind->publish_in_lua && leaf.kind->ready(s, f, leaf)) return true;
  }
  return false;
}

/// Pushes the values of the put arms, and notes in their records which is whose; their number.
int offer_values(lua_State* L, const arm_view& arms, int index, core::wait_record* records) {
  int offered = 0;
  for (std::uint32_t i = 0, n = arms.count(); i < n; ++i) {
    if (!arms[i].leaf->kind->offers) continue;
    luaL_checkstack(L, 4, "too many put arms");
    push_leaf(L, arms, index, i);
    get_reference(L, -1, 2);
    lua_remove(L, -2);
    records[i].slot = static_cast<std::uint32_t>(++offered);
  }
  return offered;
}

enum class blocked { wait, decided, again };

/// Publishes the arms that call Lua to do so. They come first: while Lua runs there is nothing of
/// this wait in a channel that it could meet. decided: a block function has completed the wait or
/// cancelled it. again, with `look`: one of them has made another arm ready.
blocked publish_blocks(lua_State* L, state& s, fiber& f, const arm_view& arms, int index,
                       core::wait_record* records, bool look) {
  for (std::uint32_t i = 0, n = arms.count(); i < n; ++i) {
    if (!arms[i].leaf->kind->publish_in_lua) continue;
    publish_in_lua(L, s, f, arms, index, records[i]);
    if (!f.is_waiting()) return blocked::decided;
  }
  if (f.cancel_pending && !f.deaf) {
    f.complete_at_home(core::winner_cancelled);
    s.at().ready(f);
    return blocked::decided;
  }
  if (!look || !arms.list || !made_ready(s, f, arms)) return blocked::wait;
  retract_all(f, s);
  if (f.done) run_done(L, f);
  return blocked::again;
}

/// The arms that other threads may complete: published once the fiber is suspended.
void add_shared_arms(lua_State* L, state& s, fiber& f, const arm_view& arms, int index) {
  for (std::uint32_t i = 0, n = arms.count(); i < n; ++i) {
    operation& leaf = *arms[i].leaf;
    if (!leaf.kind->shared) continue;
    push_leaf(L, arms, index, i);
    add_shared_arm(s, f, leaf.kind->shared(L, s, leaf, lua_gettop(L)), i);
    lua_pop(L, 1);
  }
}

/// Leaves a record for each arm, and the values that its puts offer on the stack; their number, or
/// not_ready if the arms are to be tried once more.
int publish(lua_State* L, state& s, fiber& f, const arm_view& arms, int index, bool look) {
  const std::uint32_t n = arms.count();
  if (arms.shared()) [[unlikely]]
    add_shared_arms(L, s, f, arms, index);
  core::wait_record* records = &f.record;
  if (arms.list) {
    records = s.at().records().allocate(n);
    if (!records) raise(L, "not enough memory");
  }
  push_status(L, arms.simple());
  const int offered = arms.offers() ? offer_values(L, arms, index, records) : 0;
  if (arms.list) {
    f.arms = records;
    f.arm_count = n;
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    records[i].owner = &f;
    records[i].arm = i;
  }
  if (arms.shared()) [[unlikely]]
    begin_shared(f);
  else
    begin(f, arms[0].leaf->kind->deaf);
  if (arms.in_lua()) [[unlikely]] {
    const blocked how = publish_blocks(L, s, f, arms, index, records, look);
    if (how != blocked::wait) return how == blocked::again ? not_ready : offered;
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    operation& leaf = *arms[i].leaf;
    if (leaf.kind->publish) [[likely]]
      leaf.kind->publish(s, f, leaf, records[i]);
  }
  return offered;
}

#if LUA_VERSION_NUM >= 503
int perform_again(lua_State* L, int, lua_KContext);
#else
int perform_again(lua_State* L);
#endif

/// The whole of a perform up to its end or its wait; the operation is at 1.
[[gnu::always_inline]] inline int perform(lua_State* L, state& s, fiber& f, operation& o) {
  const arm_view arms(o);
  retract(f, s);
  if (f.done) [[unlikely]]
    run_done(L, f);
  if (arms.dynamic()) return force(L, true);
  if (f.cancel_pending && !arms[0].leaf->kind->deaf) {
    f.winner = core::winner_cancelled;
    return reschedule(L, s, f, false, perform_again);
  }
  int offered = not_ready;
  for (bool look = true; offered == not_ready; look = false) {
    if (!look) lua_settop(L, 1);
    const int results = try_arms(L, s, f, arms, 1);
    if (results != not_ready) return spend(L, s, f, results);
    if (arms.list && arms.list->has_default) return take_default(L, 1);
    offered = publish(L, s, f, arms, 1, look);
  }
  const char* why = arms.count() == 1 ? arms[0].leaf->kind->waits_for : "a choice";
  return park(L, s, f, why, offered, perform_again);
}

/// After the wake-up: leaves how and the results, and returns their number, or not_ready.
int settle(lua_State* L, state& s, fiber& f) {
  const arm_view arms(*static_cast<operation*>(lua_touserdata(L, 1)));
  if (f.done && call_done(L, f)) [[unlikely]] {
    destroy_kept(s);
    lua_error(L);
  }
  if (f.winner == core::winner_cancelled) raise_cancelled(L, s, f);
  const std::uint32_t i = f.winner;
  operation& leaf = *arms[i].leaf;
  if (const int n = leaf.kind->simple; n >= 0 && !f.closed) {
    push_how(L, arms, 1, i);
    if (n > 0) lua_insert(L, -(n + 1));
    return n + 1;
  }
  push_leaf(L, arms, 1, i);
  lua_insert(L, 2);
  const int results = leaf.kind->settle(L, s, f, leaf, 2);
  if (results == not_ready) return not_ready;
  push_how(L, arms, 1, i);
  lua_insert(L, -(results + 1));
  return results + 1;
}

WEFT_CONTINUATION(perform_again) {
  const int results = settle(L, s, *s.current);
  if (results != not_ready) return results;
  lua_settop(L, 1);
  return perform(L, s, *s.current, *static_cast<operation*>(lua_touserdata(L, 1)));
}

operation& check_operation(lua_State* L, state& s, const char* function) {
  operation* o = operation_at(L, s, 1);
  if (!o) bad_argument(L, function, 1, "operation");
  if (lua_gettop(L) != 1) lua_settop(L, 1);
  return *o;
}

int op_perform_now(lua_State* L) {
  state& s = state_of(L);
  operation& o = check_operation(L, s, "perform");
  return perform(L, s, running_fiber(L, s, "perform"), o);
}

/// 5.1: op, and whatever was delivered.
int op_finish(lua_State* L) {
  state& s = state_of(L);
  const int results = settle(L, s, *s.current);
  if (results != not_ready) return results;
  lua_pushboolean(L, 0);  // once more
  return 1;
}

int op_try_now(lua_State* L) {
  state& s = state_of(L);
  operation& o = check_operation(L, s, "try");
  fiber& f = running_fiber(L, s, "try");
  const arm_view arms(o);
  retract(f, s);
  if (arms.dynamic()) return force(L, false);
  const int results = try_arms(L, s, f, arms, 1);
  if (results != not_ready) return results;
  if (arms.list && arms.list->has_default) return take_default(L, 1);
  return 0;
}

int op_tostring(lua_State* L) {
  auto& o = *static_cast<operation*>(lua_touserdata(L, 1));
  if (o.kind == &choice_kind)
    lua_pushfstring(L, "weft.operation: a choice of %d",
                    static_cast<int>(static_cast<choice&>(o).count));
  else
    lua_pushfstring(L, "weft.operation: %s", o.kind->waits_for);
  return 1;
}

/// winner() -> the arm (from 1) that completed the last perform or try of this fiber; nil if it was
/// cancelled.
int op_winner(lua_State* L) {
  const fiber& f = *state_of(L).current;
  if (f.winner == core::winner_cancelled) return 0;
  lua_pushinteger(L, static_cast<lua_Integer>(f.winner) + 1);
  return 1;
}

const luaL_Reg primitives[] = {{"winner", op_winner},
                               {"perform_now", op_perform_now},
                               {"finish", op_finish},
                               {"try_now", op_try_now},
                               {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__tostring", op_tostring}, {nullptr, nullptr}};

}  // namespace

void open_operations(lua_State* L) {
  add_type(L, anchor_operation_mt, "weft.operation", nullptr, metamethods);
  add_functions(L, primitives);
}

}  // namespace weft::inline v0::lua
