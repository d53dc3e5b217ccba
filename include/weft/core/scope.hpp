// SPDX-License-Identifier: MIT
// scope: what owns tasks. It ends when its children have; its cancellation reaches everything that
// stands inside it. Touched on the home worker of its tasks only.
//
// A task has a home scope, the one that it was spawned in, and an innermost scope, the one that its
// body stands in right now: its own body may have opened scopes, each the child of the one before.
// `cancelled` of a scope is effective: its own request or that of a scope around, up to a shield.
// A task is cancelled when its innermost scope is or, if it stands in its home scope, when it was
// cancelled itself; task::cancel_pending says so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/config.hpp"
#include "weft/core/list.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

struct scope;

/// A task that lives in a scope. The node links it into its home scope's children.
struct scoped_task : task, list_node {
  explicit scoped_task(const task_kind& k) noexcept : task(k) {}

  scope* home = nullptr;
  scope* innermost = nullptr;
  std::uint32_t id = 0;
  std::uint32_t since = 0;  // milliseconds of the worker's coarse clock when it was parked
};

struct WEFT_API scope {
  scope() noexcept = default;
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  worker* at = nullptr;  // home of all tasks in it
  scope* parent = nullptr;
  scoped_task* owner = nullptr;  // whose body stands inside; null for the root of a runtime
  list<scoped_task> children;
  std::size_t ordinary = 0;       // children that hold the scope open
  std::size_t daemons = 0;        // children that do not
  bool cancel_requested = false;  // by its own cancel(), failure or deadline
  bool cancelled = false;         // effective
  bool shield = false;            // hides the scopes around
  list<wait_record> emptied;      // who waits for the children to end
  scope* worklist = nullptr;      // for cancel_scope alone

  bool empty() const noexcept { return ordinary == 0 && daemons == 0; }
};

/// Opens s around the rest of t's body. Cancelled from the start if t is, unless s is a shield.
WEFT_API void open_scope(scope& s, scoped_task& t) noexcept;
/// Closes t's innermost scope, which has no children left; t stands in the one around again.
WEFT_API void close_scope(scoped_task& t) noexcept;

/// Makes t a child of s. A child of a cancelled scope is cancelled before it begins.
WEFT_API void adopt(scope& s, scoped_task& t) noexcept;
/// t has ended. Wakes whoever waits for the scope once its last ordinary child has gone (its
/// daemons are cancelled then), and again once nothing is left.
WEFT_API void leave_scope(scoped_task& t) noexcept;

/// Cancels s and everything that stands in it, shields excepted. Safe to repeat.
WEFT_API void cancel_scope(scope& s) noexcept;
/// Cancels t wherever it stands between its home scope and its first shield.
WEFT_API void cancel_task(scoped_task& t) noexcept;
/// Cancels the daemons of s alone.
WEFT_API void cancel_daemons(scope& s) noexcept;

}  // namespace weft::inline v0::core
