// SPDX-License-Identifier: MIT
// A scope as Lua sees it: core::scope in a userdata, anchored while it is open.
#pragma once

#include "lua/fiber.hpp"
#include "weft/core/scope.hpp"

namespace weft::inline v0::lua {

struct scope_object;

/// The deadline of a scope: a callback of the runtime's own, through the run queue like everything.
/// Apart from the scope, which may end while the alarm is in the queue.
struct scope_alarm : core::task {
  explicit scope_alarm(scope_object& scope) noexcept;

  core::wait_record record;
  scope_object* owner;  // null: the scope has ended, and the alarm frees itself when it runs
};

/// References: 1 the failures of its children and body, in order; 2 its name; 3 the reason of a
/// cancel.
struct scope_object : core::scope {
  int slot = 0;               // in anchor_scopes, while it is open
  bool failed = false;        // a child's failure (or the body's) has cancelled it
  bool has_failures = false;  // reference 1 is there
  bool has_defers = false;    // of s:defer
  bool timed_out = false;
  bool closing = false;  // the body has ended: no more children but of children
  bool closed = false;
  scope_alarm* alarm = nullptr;
};

/// A scope on top of the stack, anchored until release_scope.
scope_object& new_scope(lua_State* L, state& s);
void release_scope(lua_State* L, scope_object& scope);
/// Pushes the userdata of an open scope; for our functions.
void push_scope(lua_State* L, const scope_object& scope);

/// The nearest deadline of the scopes that f stands in, up to a shield.
core::nanoseconds deadline_around(const fiber& f) noexcept;

inline scope_object& scope_of(fiber& f) { return *static_cast<scope_object*>(f.home); }

void open_scopes(lua_State* L);

}  // namespace weft::inline v0::lua
