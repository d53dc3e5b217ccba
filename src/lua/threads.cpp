// SPDX-License-Identifier: MIT
#include "lua/threads.hpp"

#include <algorithm>
#include <new>

namespace weft::inline v0::lua {

namespace {

// Finished threads that are kept for the next fibers: some 4 MiB of them, until the worker is idle.
constexpr std::size_t spare_limit = 4096;
constexpr unsigned idle_threads = 128;

/// Room for every thread to be spare, so that the end of a fiber never allocates.
bool reserve_spare(state& s) noexcept {
  const std::size_t room = s.threads + 1;
  if (s.spare.capacity() >= room) return true;
  try {
    s.spare.reserve(std::max<std::size_t>(64, 2 * room));
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

spare_thread make_thread(lua_State* L, state& s, unsigned slot) {
  push_anchor(L, anchor_threads);
  lua_State* co = lua_newthread(L);
  lua_rawseti(L, -2, thread_place(slot));
  lua_pop(L, 1);
  if (slot == s.threads) ++s.threads;
  return {co, slot};
}

/// A thread whose body has ended well is as new for the next fiber; one that has failed is left to
/// the collector.
bool reset_thread([[maybe_unused]] lua_State* L, lua_State* co, int status) {
  if (status != 0) return false;
  if (lua_gethook(co)) lua_sethook(co, nullptr, 0, 0);
  lua_settop(co, 0);
#if LUA_VERSION_NUM == 501
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  lua_xmove(L, co, 1);
  lua_replace(co, LUA_GLOBALSINDEX);
#endif
  return true;
}

/// Gives back the spare threads of a burst and the room of their slots: returns the new table of
/// threads. Raises only before it has changed anything.
int compact(lua_State* L) {
  state& s = state_of(L);
  push_anchor(L, anchor_threads);
  const unsigned keep = std::min<unsigned>(idle_threads / 2, static_cast<unsigned>(s.spare.size()));
  lua_createtable(L, static_cast<int>(3 * (s.live + keep)), 0);
  unsigned slot = 0;
  const auto copy = [L, &slot](unsigned from) {
    for (int i = 1; i <= 3; ++i) {
      lua_rawgeti(L, 1, static_cast<int>(3 * from) + i);
      lua_rawseti(L, 2, static_cast<int>(3 * slot) + i);
    }
    ++slot;
  };
  std::vector<spare_thread>& spare = s.spare;
  for (unsigned from = 0; from < s.threads; ++from) {
    lua_rawgeti(L, 1, handle_place(from));
    auto* f = static_cast<fiber*>(lua_touserdata(L, -1));
    lua_pop(L, 1);
    if (f) copy(from);
  }
  unsigned kept = 0;
  for (const spare_thread& t : spare)
    if (t.co && kept < keep) {
      copy(t.slot);
      ++kept;
    }
  // Nothing raises from here on.
  const unsigned live = slot - kept;
  for (unsigned i = 0; i < live; ++i) {
    lua_rawgeti(L, 2, handle_place(i));
    static_cast<fiber*>(lua_touserdata(L, -1))->slot = i;
    lua_pop(L, 1);
  }
  spare.clear();
  for (unsigned i = live; i < slot; ++i) {
    lua_rawgeti(L, 2, thread_place(i));
    spare.push_back({lua_tothread(L, -1), i});
    lua_pop(L, 1);
  }
  spare.shrink_to_fit();
  s.threads = slot;
  lua_pushvalue(L, 2);
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), anchor_threads);
  return 1;
}

}  // namespace

bool is_sparse(const state& s) { return s.threads > idle_threads && s.live < s.threads / 4; }

spare_thread peek_thread(lua_State* L, state& s) {
  if (s.spare.empty()) {
    if (!reserve_spare(s)) luaL_error(L, "not enough memory");
    s.spare.push_back(make_thread(L, s, s.threads));
  } else if (!s.spare.back().co) {
    s.spare.back() = make_thread(L, s, s.spare.back().slot);
  }
  const spare_thread t = s.spare.back();
  if (lua_gettop(t.co) != 0) lua_settop(t.co, 0);
  return t;
}

void give_back(state& s, fiber& f, int status) {
  lua_State* L = s.L;
  lua_State* co = f.co;
  f.co = f.at = nullptr;
  const bool reusable = reset_thread(L, co, status);
  const bool keep = reusable && !f.exposed && s.spare.size() < spare_limit;
  lua_pushboolean(L, 0);
  lua_rawseti(L, state::threads_index, handle_place(f.slot));
  lua_pushboolean(L, 0);
  lua_rawseti(L, state::threads_index, spawner_place(f.slot));
  if (!keep) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, state::threads_index, thread_place(f.slot));
  }
  s.spare.push_back({keep ? co : nullptr, f.slot});
}

void push_compact(lua_State* L) { push_internal(L, compact); }

void compact_threads(state& s) {
  lua_State* L = s.L;
  lua_pushvalue(L, state::compact_index);
  if (lua_pcall(L, 0, 1, 0) == 0)
    lua_replace(L, state::threads_index);
  else
    lua_pop(L, 1);
}

}  // namespace weft::inline v0::lua
