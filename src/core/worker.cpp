// SPDX-License-Identifier: MIT
#include "weft/core/worker.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "weft/core/crew.hpp"

namespace weft::inline v0::core {

namespace {

// Picks between two that begin elsewhere than with the newest task, and how many of those lie
// between two looks at the oldest.
constexpr std::uint32_t look_interval = 4;
constexpr std::uint32_t oldest_interval = 15;

thread_local worker* current_worker [[gnu::tls_model("initial-exec")]] = nullptr;

}  // namespace

[[gnu::noinline]] worker* worker::current() noexcept { return current_worker; }

worker::driving::driving(worker& w) noexcept : here_(w), outer_(std::exchange(current_worker, &w)) {
  if (outer_ != &w && w.gate_with_driver_) w.gate_->enter();
}
worker::driving::~driving() {
  if (outer_ != &here_ && here_.gate_with_driver_) here_.gate_->leave();
  current_worker = outer_;
}

worker::worker(std::unique_ptr<reactor> r) noexcept
    : random_(static_cast<std::uint64_t>(clock_now())),
      order_(1),
      reactor_(std::move(r)),
      coarse_now_(clock_now()),
      mailbox_(new mailbox(*this)) {}

// What is still in the inbox when the last driver has left belongs to nobody here: only completions
// can be, and they give up their reference.
worker::~worker() {
  // In the child of a fork those who were posting are not there.
  while (!mailbox_->is_inherited() && posting_.load(std::memory_order_acquire) != 0)
    std::this_thread::yield();
  mailbox_->close();
  mailbox_->drop_reference();
  for (task* t = inbox_.drain(); t;) {
    task* next = t->next;
    t->kind->run(*t, *this);
    t = next;
  }
}

bool mailbox::post(task& t) noexcept {
  if (is_inherited()) return false;
  const std::lock_guard held(mutex_);
  if (!worker_) return false;
  worker_->post(t);
  return true;
}

worker* mailbox::crewmate_of(worker& w) noexcept {
  if (is_inherited()) return nullptr;
  const std::lock_guard held(mutex_);
  return worker_ && (worker_ == &w || worker_->shares_with(w)) ? worker_ : nullptr;
}

bool mailbox::is_gone() noexcept {
  if (is_inherited()) return true;
  const std::lock_guard held(mutex_);
  return !worker_;
}

void mailbox::close() noexcept {
  if (is_inherited()) return;
  const std::lock_guard held(mutex_);
  worker_ = nullptr;
}

void mailbox::drop_reference() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void worker::use_virtual_time() noexcept {
  virtual_now_ = clock_now();
  virtual_ = true;
}

void worker::use_seed(std::uint64_t seed) noexcept {
  random_ = random_source(seed);
  order_ = random_source(seed ^ 0x9E3779B97F4A7C15ULL);
  queue_.shuffle(&order_);
}

// What is in the inbox may run at once, and its runtime end, while a poster still looks at park_:
// ~worker waits for it. Workers of the crew are joined before that. models/: posting.
void worker::post(task& t) noexcept {
  const worker* here = current();
  const bool joined = here && shares_with(*here);
  if (!joined) posting_.fetch_add(1, std::memory_order_relaxed);
  inbox_.push(t);
  rouse();
  if (!joined) posting_.fetch_sub(1, std::memory_order_release);
}

void worker::rouse() noexcept {
  int seen = parked;
  if (park_.load(std::memory_order_seq_cst) == parked &&
      park_.compare_exchange_strong(seen, notified, std::memory_order_seq_cst))
    ring();
}

worker::outcome worker::run() noexcept {
  for (;;) {
    const outcome o = turn(forever);
    if (o != outcome::ran) return o;
  }
}

worker::outcome worker::turn(nanoseconds limit) noexcept {
  if (gate_ && gate_->is_wanted()) {
    gate_->pass();
    limit = 0;  // whoever drives may have waited for just that
  }
  take_inbox();
  if (stopping()) return outcome::stopped;
  coarse_now_ = now();
  if (!wheel_.empty()) fire_timers();
  if (has_ready() || (crew_ && look_for_work(limit))) {
    if (crew_) crew_->go_to_work(*this);
    run_batch();
    if (stopping()) return outcome::stopped;
    if (unfetched_ || reactor_->busy()) wait_for_events(0);
    return outcome::ran;
  }
  if (crew_ && has_mail()) return outcome::ran;  // it came while this worker searched
  if (!crew_ && wheel_.empty() && inbox_.empty() && !waits_for_outside()) return outcome::idle;
  wait_for_events(limit);
  return stopping() ? outcome::stopped : outcome::ran;
}

bool worker::look_for_work(nanoseconds limit) noexcept {
  return crew_->share_injected(*this) || (limit > 0 && crew_->search(*this));
}

void worker::run_batch() noexcept {
  batch_ = batch_size;
  // The first also while somebody waits for the gate: each turn gets on.
  for (task* t = take_any(); t; t = take()) t->kind->run(*t, *this);
}

void worker::note_ready(task& t) noexcept {
  if (hooks_ && hooks_->wake) hooks_->wake(hooks_->context, t);
  if (resting_.load(std::memory_order_relaxed)) rouse();
}

void worker::use_gate(std::shared_ptr<gate> g, bool with_driver) noexcept {
  if (gate_) gate_->tell(nullptr);
  gate_ = std::move(g);
  gate_with_driver_ = with_driver;
  if (gate_) gate_->tell(this);
}

void worker::want_gate() noexcept {
  pause_.fetch_or(pause_for_gate, std::memory_order_seq_cst);
  if (resting_.load(std::memory_order_seq_cst)) rouse();
}

void worker::rest() noexcept {
  notes_ready_ = true;
  resting_.store(true, std::memory_order_seq_cst);
  park_.store(parked, std::memory_order_seq_cst);
  if (has_ready() || !inbox_.empty() || pause_.load(std::memory_order_seq_cst) != 0) rouse();
}

void worker::end_rest() noexcept {
  resting_.store(false, std::memory_order_relaxed);
  notes_ready_ = hooks_ != nullptr;
  park_.store(awake, std::memory_order_seq_cst);
}

void worker::recall(task& t) noexcept {
  take_inbox();
  queue_.remove(t);
}

task* worker::pick_in_turn() noexcept {
  until_look_ = look_interval;
  if (++picks_ % oldest_interval == 0) {
    if (task* t = newest_.steal()) return t;
    if (task* t = crew_ ? crew_->take_injected() : nullptr) return t;
  }
  return picks_ % 2 == 0 ? queue_.pop() : pop_later();
}

task* worker::pop_later() noexcept {
  if (later_count_.load(std::memory_order_relaxed) == 0) return nullptr;
  if (crew_) later_lock_.lock();
  task* t = later_.pop();
  if (t)
    later_count_.store(later_count_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  if (crew_) later_lock_.unlock();
  return t;
}

void worker::push_later(task& t) noexcept {
  if (crew_) later_lock_.lock();
  later_.push(t);
  const std::size_t n = later_count_.load(std::memory_order_relaxed) + 1;
  later_count_.store(n, std::memory_order_relaxed);
  if (!crew_) return;
  later_lock_.unlock();
  offer(n);
}

void worker::offer(std::size_t here) noexcept { crew_->offer(here); }

task* worker::yield_up(bool stuck) noexcept {
  const std::size_t least = stuck ? 1 : 2;
  if (newest_.size() >= least)
    if (task* t = newest_.steal()) return t;
  return later_count_.load(std::memory_order_relaxed) >= least ? pop_later() : nullptr;
}

void worker::join_crew(crew& c, unsigned index) noexcept {
  crew_ = &c;
  index_ = index;
  newest_.share();
}

void worker::take_inbox() noexcept {
  if (inbox_.empty()) return;
  for (task* t = inbox_.drain(); t;) {
    task* next = t->next;
    ++count_.posts;
    if (t->kind->arrive)
      t->kind->arrive(*t, *this);
    else if (t->kind->wake)
      ready(*t);
    else
      t->kind->run(*t, *this);
    t = next;
  }
}

void worker::fire_timers() noexcept {
  wheel_.advance(coarse_now_, [](wait_record& r) {
    task& t = *r.owner;
    if (t.complete_at_home(r.arm)) t.kind->wake(t);
  });
}

void worker::wait_for_events(nanoseconds limit) noexcept {
  ++count_.polls;
  if (std::exchange(unfetched_, false)) limit = 0;
  const nanoseconds due = wheel_.next_deadline();
  if (limit > 0 && due != forever) {
    const nanoseconds left = due - now();
    if (left < limit) limit = left > 0 ? left : 0;
  }
  if (limit == 0) {
    reactor_->wait(0);
    return;
  }
  if (!virtual_) return park(limit);
  if (due != forever && !waits_for_outside()) {
    virtual_now_ += limit;
    return;
  }
  // What is outside has no virtual time: while it is waited for, time passes as it does there.
  const nanoseconds before = clock_now();
  park(limit);
  virtual_now_ += clock_now() - before;
}

void worker::fetch() noexcept {
  unfetched_ = has_mail();
  if (!unfetched_) reactor_->wait(0);
}

/// Who is let in meanwhile may end what the kernel has events for, so they are fetched afterwards.
void worker::block(nanoseconds limit) noexcept {
  if (!gate_) {
    reactor_->wait(limit);
    return;
  }
  reactor_->block(limit, *gate_);
  fetch();
}

void worker::park(nanoseconds limit) noexcept {
  ++count_.parks;
  park_.store(parked, std::memory_order_seq_cst);
  if (!crew_) {
    if (inbox_.empty()) block(limit);
  } else if (crew_->begin_park(*this, limit)) {
    if (inbox_.empty()) block(limit);
    crew_->end_park(*this);
  }
  park_.store(awake, std::memory_order_seq_cst);
}

}  // namespace weft::inline v0::core
