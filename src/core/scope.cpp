// SPDX-License-Identifier: MIT
#include "weft/core/scope.hpp"

namespace weft::inline v0::core {

namespace {

bool stands_cancelled(const scoped_task& t) noexcept {
  if (t.innermost == t.home) return t.self_cancelled || t.home->cancelled;
  return t.innermost->cancelled;
}

/// Brings cancel_pending up to date, and ends the wait of a task that has just become cancelled.
void notice(scoped_task& t) noexcept {
  t.cancel_pending = stands_cancelled(t);
  if (!t.cancel_pending || t.deaf || t.state != task_state::parked) return;
  if (t.complete_at_home(winner_cancelled)) t.kind->wake(t);
}

/// Scopes still to be looked at: linked through scope::worklist, since trees of scopes may be
/// deeper than the stack.
class pending_scopes {
 public:
  void push(scope& s) noexcept {
    if (s.cancelled) return;
    s.cancelled = true;
    s.worklist = top_;
    top_ = &s;
  }
  scope* pop() noexcept {
    scope* s = top_;
    if (s) top_ = s->worklist;
    return s;
  }

 private:
  scope* top_ = nullptr;
};

/// Pushes the scopes that t has open inside `outer`, outside the first shield seen from `outer`.
void push_open_scopes(pending_scopes& pending, scoped_task& t, scope* outer) noexcept {
  scope* start = t.innermost;
  for (scope* s = t.innermost; s != outer; s = s->parent)
    if (s->shield) start = s->parent;
  for (scope* s = start; s != outer; s = s->parent) pending.push(*s);
}

void drain(pending_scopes& pending) noexcept {
  while (scope* s = pending.pop()) {
    if (s->owner) notice(*s->owner);
    for (scoped_task* t = s->children.front(); t; t = s->children.after(*t)) {
      push_open_scopes(pending, *t, s);
      notice(*t);
    }
  }
}

}  // namespace

void open_scope(scope& s, scoped_task& t) noexcept {
  s.at = t.home->at;
  s.parent = t.innermost;
  s.owner = &t;
  s.cancelled = !s.shield && stands_cancelled(t);
  t.innermost = &s;
  t.cancel_pending = s.cancelled;
}

void close_scope(scoped_task& t) noexcept {
  t.innermost = t.innermost->parent;
  t.cancel_pending = stands_cancelled(t);
}

void adopt(scope& s, scoped_task& t) noexcept {
  t.home = t.innermost = &s;
  s.children.push_back(t);
  ++(t.daemon ? s.daemons : s.ordinary);
  t.cancel_pending = s.cancelled;
}

void leave_scope(scoped_task& t) noexcept {
  scope& s = *t.home;
  static_cast<list_node&>(t).unlink();
  --(t.daemon ? s.daemons : s.ordinary);
  if (s.ordinary != 0) return;
  while (wait_record* r = s.emptied.pop_front()) {
    task& waiter = *r->owner;
    if (waiter.complete_at_home(r->arm)) waiter.kind->wake(waiter);
  }
}

void cancel_scope(scope& s) noexcept {
  s.cancel_requested = true;
  pending_scopes pending;
  if (s.owner) push_open_scopes(pending, *s.owner, &s);
  pending.push(s);
  drain(pending);
}

void cancel_task(scoped_task& t) noexcept {
  t.self_cancelled = true;
  pending_scopes pending;
  push_open_scopes(pending, t, t.home);
  drain(pending);
  notice(t);
}

void cancel_daemons(scope& s) noexcept {
  for (scoped_task* t = s.children.front(); t; t = s.children.after(*t))
    if (t->daemon) cancel_task(*t);
}

}  // namespace weft::inline v0::core
