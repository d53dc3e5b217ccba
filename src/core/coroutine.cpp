// SPDX-License-Identifier: MIT
#include "weft/core/coroutine.hpp"

#include "weft/core/task_scope.hpp"

namespace weft::inline v0::core {

namespace {

coroutine& as_coroutine(task& t) noexcept { return static_cast<coroutine&>(t); }

/// Its waits are over: what only this worker may unlink goes before the task can move.
void retract_home(coroutine& c) noexcept {
  if (!c.wait) return;
  c.wait->at_home(*c.wait);
  c.wait = nullptr;
}

/// Whether `here` may run it without asking home first: it is at rest, and has left nothing there.
bool may_move(const coroutine& c, const worker* here) noexcept {
  return here && !c.pinned && c.on->shares_with(*here) &&
         c.resting.load(std::memory_order_acquire) && !c.wait;
}

/// Sets complete, and wakes whoever is joining; what was set before.
std::uint32_t complete(coroutine& c) noexcept {
  const std::uint32_t before = c.life.set(lifecycle::complete, c.concurrent);
  if (!(before & lifecycle::joining)) return before;
  task& joiner = *c.joiner->owner;
  const std::uint32_t arm = c.joiner->arm;
  const bool won =
      c.concurrent ? joiner.complete(joiner.generation(), arm) : joiner.complete_at_home(arm);
  if (won) joiner.kind->wake(joiner);
  return before;
}

/// Of one that has failed: the failure goes to the scope, or stays on the scope's list with the
/// handle, which may still join it (collect_failures, hand_over_failure). What was set before
/// released.
std::uint32_t end_failed(coroutine& c, task_scope& s) noexcept {
  if (!(complete(c) & lifecycle::interest)) {
    s.fail(c.failure());
    s.forget(c);
  }
  return c.life.set(lifecycle::released, c.concurrent);
}

std::uint32_t end_well(coroutine& c, task_scope& s) noexcept {
  s.forget(c);
  std::uint32_t before = 0;
  if (c.life.finish_unjoined(before, c.concurrent)) return before;
  complete(c);
  return c.life.set(lifecycle::released, c.concurrent);
}

/// The last touch of c, and of its scope. Once complete, a handle may take the result and go: then
/// the end frees the block, before the scope can end.
void end(coroutine& c) noexcept {
  task_scope& s = *c.innermost;
  const unsigned shard = c.shard;
  c.frame().destroy();
  c.state = c.failed ? task_state::failed : task_state::done;
  const std::uint32_t before = c.failed ? end_failed(c, s) : end_well(c, s);
  if (!(before & lifecycle::interest)) c.kinds().release(c);
  s.count_down(shard);
}

/// What c touches first when it goes on: its frame, and in that the performance it waits in. One of
/// a thousand that wait for their peers has gone cold meanwhile.
void fetch_ahead(const coroutine& c) noexcept {
  constexpr std::size_t line = 64;
  const auto* frame = static_cast<const char*>(c.at.address());
  const auto* wait = reinterpret_cast<const char*>(c.wait);
  for (const char* p : {frame, frame + line, wait, wait + line, wait + 2 * line, wait + 3 * line})
    __builtin_prefetch(p);
}

void begin_run(coroutine& c, worker& w) noexcept {
  c.on = &w;
  c.state = task_state::running;
  c.resting.store(false, std::memory_order_relaxed);
  c.next_action = coroutine::action::go_on;
  w.run_as(&c);
}

/// Resumes frames until one suspends the coroutine.
void go_on(coroutine& c, worker& w) {
  {
    const worker::watched_run watched(w, c);
    while (c.next_action == coroutine::action::go_on) c.at.resume();
  }
  switch (c.next_action) {
    case coroutine::action::yield: c.pinned ? w.ready(c) : w.ready_later(c); break;
    case coroutine::action::move: c.on->post(c); break;
    case coroutine::action::end: end(c); break;
    default: c.resting.store(true, std::memory_order_release);
  }
  w.run_as(nullptr);
}

}  // namespace

// frame_block counts on it. Compilers know the place of a member of such a class, though they need
// not.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
static_assert(offsetof(coroutine, size_class) == sizeof(coroutine) - 2);
static_assert(offsetof(coroutine, is_spawned) == sizeof(coroutine) - 1);
#pragma GCC diagnostic pop

bool lifecycle::finish_unjoined(std::uint32_t& before, bool concurrent) noexcept {
  before = bits_.load(std::memory_order_relaxed);
  if (!concurrent) {
    if (before & joining) return false;
    bits_.store(before | complete | released, std::memory_order_relaxed);
    return true;
  }
  while (!(before & joining))
    if (bits_.compare_exchange_weak(before, before | complete | released,
                                    std::memory_order_seq_cst))
      return true;
  return false;
}

bool lifecycle::clear_unless_complete(std::uint32_t bit, bool concurrent) noexcept {
  std::uint32_t seen = get();
  for (;;) {
    if (seen & complete) return false;
    if (!concurrent) {
      bits_.store(seen & ~bit, std::memory_order_relaxed);
      return true;
    }
    if (bits_.compare_exchange_weak(seen, seen & ~bit, std::memory_order_acq_rel)) return true;
  }
}

coroutine::coroutine(const coroutine_kind& k, std::uint8_t block_class) noexcept
    : task(k), size_class(block_class) {
  at = frame();
}

/// On home, from the inbox.
void coroutine::arrive(task& t, worker& w) noexcept {
  coroutine& c = as_coroutine(t);
  retract_home(c);
  c.pinned ? w.ready(c) : w.ready_later(c);
}

void coroutine::wake(task& t) noexcept {
  coroutine& c = as_coroutine(t);
  worker* here = worker::current();
  if (here == c.on) {
    retract_home(c);
    if (c.pinned) return here->ready(c);
  } else if (!may_move(c, here)) {
    return c.on->post(c);
  }
  // What a running task wakes goes on next; what timers and the kernel wake, in turn.
  here->running() ? here->ready_next(c) : here->ready_later(c);
}

void coroutine::run(task& t, worker& w) {
  coroutine& c = as_coroutine(t);
  begin_run(c, w);
  go_on(c, w);
}

void coroutine::run_bound(task& t, worker& w) {
  coroutine& c = as_coroutine(t);
  parked_wait& bound = *c.wait;
  c.stay_no_more();
  begin_run(c, w);
  bound.at_home(bound);
  go_on(c, w);
}

void coroutine::wake_bound(task& t) noexcept {
  coroutine& c = as_coroutine(t);
  if (worker::current() != c.on) return c.on->post(c);
  fetch_ahead(c);
  c.on->ready(c);
}

void coroutine::cancel() noexcept {
  life.set(lifecycle::cancelled, concurrent);
  interrupt(0);
}

void coroutine::interrupt(std::uint32_t shields) noexcept {
  if (!concurrent) {
    if (!is_waiting() || life.has(lifecycle::deaf) || life.shields() > shields) return;
    if (complete_at_home(winner_cancelled)) kind->wake(*this);
    return;
  }
  const std::uint64_t g = word.load(std::memory_order_seq_cst) / generation_step;
  const std::uint32_t now = life.get();
  if ((now & lifecycle::deaf) || now / lifecycle::one_shield > shields) return;
  if (complete(g, winner_cancelled)) kind->wake(*this);
}

void coroutine::park_at(std::coroutine_handle<> here, const char* what) noexcept {
  at = here;
  waits_for = what;
  next_action = action::park;
  state = task_state::parked;
  since = static_cast<std::uint32_t>(on->coarse_now() / 1'000'000);
}

void coroutine::stay(parked_wait& w) noexcept {
  wait = &w;
  kind = kinds().bound;
}

void coroutine::stay_no_more() noexcept {
  wait = nullptr;
  kind = kinds().free;
}

void coroutine::move_to(std::coroutine_handle<> here, worker& to, parked_wait& w) noexcept {
  stay(w);
  at = here;
  on = &to;
  state = task_state::runnable;
  next_action = action::move;
}

bool coroutine::begin_join(wait_record& r) noexcept {
  joiner = &r;
  if (!(life.set(lifecycle::joining, concurrent) & lifecycle::complete)) return true;
  life.clear(lifecycle::joining, concurrent);
  return false;
}

void coroutine::end_join() noexcept {
  if (life.has(lifecycle::released)) return;
  if (!(life.clear(lifecycle::joining, concurrent) & lifecycle::complete)) return;
  while (!life.has(lifecycle::released)) pause_cpu();
}

void coroutine::drop_handle() noexcept {
  if (life.clear_unless_complete(lifecycle::interest, concurrent)) return;
  if (failed) hand_over_failure(*this);
  if (life.has(lifecycle::released)) return kinds().release(*this);
  if (life.clear(lifecycle::interest, concurrent) & lifecycle::released) kinds().release(*this);
}

void start(coroutine& c, task_scope& s, worker& w) noexcept {
  s.adopt(c, w.index());
  c.on = &w;
  ++w.count().spawns;
  if (const hooks* h = w.observer(); h && h->spawn) h->spawn(h->context, c);
  c.pinned ? w.ready(c) : w.ready_next(c);
}

coroutine* current_coroutine() noexcept {
  worker* w = worker::current();
  return w ? w->running() : nullptr;
}

}  // namespace weft::inline v0::core
