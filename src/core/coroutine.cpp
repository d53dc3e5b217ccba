// SPDX-License-Identifier: MIT
#include "weft/core/coroutine.hpp"

#include "weft/core/task_scope.hpp"

namespace weft::inline v0::core {

namespace {

void run_coroutine(task& t, worker& w);
void wake_coroutine(task& t) noexcept;
void arrive(task& t, worker& w) noexcept;

const task_kind coroutine_kind = {"task", run_coroutine, wake_coroutine, arrive};

coroutine& as_coroutine(task& t) noexcept { return static_cast<coroutine&>(t); }

/// Its waits are over: what only this worker may unlink goes before the task can move.
void retract_home(coroutine& c) noexcept {
  if (!c.wait) return;
  c.wait->retract_home(*c.wait);
  c.wait = nullptr;
}

/// On home, from the inbox.
void arrive(task& t, worker& w) noexcept {
  coroutine& c = as_coroutine(t);
  retract_home(c);
  c.pinned ? w.ready(c) : w.ready_later(c);
}

/// Whether `here` may run it without asking home first: it is at rest, and has left nothing there.
bool may_move(const coroutine& c, const worker* here) noexcept {
  return here && !c.pinned && c.on->shares_with(*here) &&
         c.resting.load(std::memory_order_acquire) && !c.wait;
}

void wake_coroutine(task& t) noexcept {
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

/// The last touch of c, and of its scope.
void end(coroutine& c) noexcept {
  task_scope& s = *c.home;
  const unsigned shard = c.shard;
  const bool concurrent = c.concurrent;
  c.state = c.failed ? task_state::failed : task_state::done;
  // Once complete, a handle may take the result and go: then the end frees the frame.
  const std::uint32_t before = c.life.set(lifecycle::complete, concurrent);
  if (before & lifecycle::joining) {
    task& joiner = *c.joiner->owner;
    const std::uint32_t arm = c.joiner->arm;
    const bool won =
        concurrent ? joiner.complete(joiner.generation(), arm) : joiner.complete_at_home(arm);
    if (won) joiner.kind->wake(joiner);
  }
  const bool handled = before & lifecycle::interest;
  if (c.failed && !handled) s.fail(c.failure(c));
  // A failure that may still be joined stays on the list (collect_failures, hand_over_failure).
  if (!c.failed || !handled) s.forget(c);
  const std::uint32_t last = c.life.set(lifecycle::released, concurrent);
  if (!(last & lifecycle::interest)) c.frame.destroy();
  s.count_down(shard);
}

void run_coroutine(task& t, worker& w) {
  coroutine& c = as_coroutine(t);
  c.on = &w;
  c.state = task_state::running;
  c.resting.store(false, std::memory_order_relaxed);
  w.run_as(&c);
  do {
    c.next_action = coroutine::action::go_on;
    c.at.resume();
  } while (c.next_action == coroutine::action::go_on);
  switch (c.next_action) {
    case coroutine::action::yield: c.pinned ? w.ready(c) : w.ready_later(c); break;
    case coroutine::action::end: end(c); break;
    default: c.resting.store(true, std::memory_order_release);
  }
  w.run_as(nullptr);
}

}  // namespace

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

coroutine::coroutine(std::coroutine_handle<> own_frame) noexcept
    : task(coroutine_kind), frame(own_frame), at(own_frame) {}

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

void coroutine::park_at(std::coroutine_handle<> here) noexcept {
  at = here;
  next_action = action::park;
  state = task_state::parked;
  since = static_cast<std::uint32_t>(on->coarse_now() / 1'000'000);
}

bool coroutine::begin_join(wait_record& r) noexcept {
  joiner = &r;
  if (!(life.set(lifecycle::joining, concurrent) & lifecycle::complete)) return true;
  life.clear(lifecycle::joining, concurrent);
  return false;
}

void coroutine::end_join() noexcept {
  if (!(life.clear(lifecycle::joining, concurrent) & lifecycle::complete)) return;
  while (!life.has(lifecycle::released)) pause_cpu();
}

void coroutine::drop_handle() noexcept {
  if (life.clear_unless_complete(lifecycle::interest, concurrent)) return;
  if (failed) hand_over_failure(*this);
  if (life.clear(lifecycle::interest, concurrent) & lifecycle::released) frame.destroy();
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
