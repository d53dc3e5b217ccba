// SPDX-License-Identifier: MIT
// Operations: immutable recipes in userdata, performed many times and by many fibers. A leaf has a
// kind, one const table of functions each; a choice is a flat list of leaves with their wraps.
//
// perform() of lua/weft/operation.lua is a Lua frame around the primitive here, on every Lua:
//   perform_now(op) -> how, values...     how: true, or the wraps to apply, innermost first
//                   -> false              (5.1) it has waited: finish(op, ...) tells how it ended
#pragma once

#include <cstdint>

#include "lua/arguments.hpp"
#include "lua/fiber.hpp"

namespace weft::inline v0::lua {

struct operation;

/// Returned instead of a number of results.
inline constexpr int not_ready = -1;

struct operation_kind {
  const char* waits_for;
  /// Whether attempt() is worth it now.
  bool (*ready)(state&, fiber&, operation&);
  /// Completes now and pushes the results: their number, or not_ready. May raise. `index` is the
  /// operation's place on the stack.
  int (*attempt)(lua_State*, state&, fiber&, operation&, int index);
  /// Publishes the record of a fiber that has begun to wait. Cannot fail.
  void (*publish)(state&, fiber&, operation&, core::wait_record&);
  /// The fiber has been woken by this arm (fiber::closed tells how), what was delivered is on top.
  /// Pushes or completes the results: their number, or not_ready to perform once more. May raise.
  int (*settle)(lua_State*, state&, fiber&, operation&, int index);
  int simple = not_ready;  // how many values a plain wake-up delivers, if those are the results
  bool offers = false;     // reference 2 is a value that partners take
  bool deaf = false;       // not ended by a cancel
  bool lasting = false;    // an object gives the same operation each time
  bool dynamic = false;    // has to be forced at each perform, in Lua (lua/weft/dynamic.lua)
  /// Instead of publish, for a kind that calls Lua to publish: it may raise.
  void (*publish_in_lua)(lua_State*, state&, fiber&, operation&, core::wait_record&,
                         int index) = nullptr;
  /// Instead of publish, for a kind that other threads may complete: a fresh arm (shared.hpp). May
  /// raise.
  shared_arm& (*shared)(lua_State*, state&, operation&, int index) = nullptr;
};

struct operation {
  const operation_kind* kind;
};

struct choice_arm {
  operation* leaf;
  bool wrapped;
};

/// References: 1 = { [i] = leaf, [n + i] = its wraps: a function or an array, [0] = the default's
/// }.
struct choice : operation {
  std::uint32_t count;
  bool has_default;
  bool simple;   // all its arms are, and have no wraps
  bool offers;   // some arm does
  bool dynamic;  // some arm is
  bool in_lua;   // some arm has publish_in_lua
  bool shared;   // some arm is
  choice_arm arms[1];
};
extern const operation_kind choice_kind;

/// A new operation on top of the stack.
template <class T>
T& new_operation(lua_State* L, state&, const operation_kind& kind, int references) {
  T* o = static_cast<T*>(new_userdata(L, sizeof(T), references));
  o->kind = &kind;
  push_anchor(L, anchor_operation_mt);
  lua_setmetatable(L, -2);
  return *o;
}

inline operation* operation_at(lua_State* L, state& s, int arg) {
  return static_cast<operation*>(userdata_of(L, s, arg, anchor_operation_mt));
}

void open_operations(lua_State* L);
void open_choices(lua_State* L);
void open_base_operations(lua_State* L);

/// Pops a function, which runs in the performer when the wait of f is over, however it ends.
void add_done(lua_State* L, fiber& f);
/// Runs the clean-up functions of the wait that is over, all of them. True: one has raised, its
/// error is on top.
bool call_done(lua_State* L, fiber& f);
/// The same, and raises the error.
void run_done(lua_State* L, fiber& f);

}  // namespace weft::inline v0::lua
