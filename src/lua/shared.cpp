// SPDX-License-Identifier: MIT
#include "lua/shared.hpp"

namespace weft::inline v0::lua {

namespace {

shared_arm* first_of(const fiber& f) noexcept { return static_cast<shared_arm*>(f.record.place); }

/// False: only this state can complete any of the arms. A wait for somebody outside is no deadlock.
bool waits_for_outside(const shared_arm* first) noexcept {
  for (const shared_arm* a = first; a; a = a->next)
    if (a->outside) return true;
  return false;
}

}  // namespace

void wake_shared_fiber(core::task& t) noexcept {
  core::worker& home = *first_of(static_cast<fiber&>(t))->home;
  core::worker::current() == &home ? home.ready(t) : home.post(t);
}

void add_shared_arm(state& s, fiber& f, shared_arm& a, std::uint32_t index) noexcept {
  a.index = index;
  a.next = nullptr;
  if (!is_shared(f, s)) {
    f.kind = &s.shared_kind;
    f.published = true;  // so that whatever ends this wait retracts it
    f.record.place = nullptr;
  }
  shared_arm* last = first_of(f);
  if (!last) {
    f.record.place = &a;
    return;
  }
  while (last->next) last = last->next;
  last->next = &a;
}

shared_arm* put_shared_aside(state& s, fiber& f) noexcept {
  if (!is_shared(f, s)) return nullptr;
  f.kind = &s.kind;
  return first_of(f);
}
void put_shared_back(state& s, fiber& f, shared_arm& first) noexcept {
  f.kind = &s.shared_kind;
  f.record.place = &first;
}

void publish_shared(state& s, fiber& f) noexcept {
  if (!f.is_waiting()) return;  // a block function has completed it
  shared_arm* const first = first_of(f);
  first->counted = waits_for_outside(first);
  if (first->counted) s.at().add_source();
  performer p(f, s.worker);
  for (shared_arm* a = first; a; a = a->next) {
    const core::pass how = a->kind->publish(*a, p);
    if (how == core::pass::wait) continue;
    if (how != core::pass::decided) s.at().ready(f);  // by itself: no other wake-up comes
    return;
  }
}

void retract_shared(state& s, fiber& f) noexcept {
  shared_arm* a = first_of(f);
  f.kind = &s.kind;
  f.record.place = nullptr;
  if (a && a->counted) s.at().drop_source();
  const bool suspended = s.current != &f;  // else it never was, and nothing has been published
  performer p(f, s.worker);
  while (a) {
    shared_arm* const next = a->next;
    const bool won = suspended && f.winner == a->index;
    a->kind->retract(*a, p, won);
    if (won) {
      keep(s, *a);
      f.record.place = a;
    } else {
      a->kind->destroy(a);
    }
    a = next;
  }
}

void abandon(state& s, fiber& f) noexcept {
  if (!is_shared(f, s)) return;
  // Whoever has completed it is about to post it, and touches it until then.
  if (f.state == core::task_state::parked && !f.complete_at_home(core::winner_cancelled))
    while (f.state == core::task_state::parked) s.at().take_inbox();
  s.at().recall(f);
  retract_shared(s, f);
}

void keep(state& s, shared_arm& a) noexcept {
  a.next = s.settling;
  s.settling = &a;
}

void destroy_kept(state& s, shared_arm& a) noexcept {
  shared_arm** at = &s.settling;
  while (*at != &a) at = &(*at)->next;
  *at = a.next;
  a.kind->destroy(&a);
}

shared_arm& kept_arm(const fiber& f) noexcept { return *first_of(f); }

void destroy_kept(state& s) noexcept {
  while (s.settling) destroy_kept(s, *s.settling);
}

}  // namespace weft::inline v0::lua
