// SPDX-License-Identifier: MIT
#include "weft/core/task_scope.hpp"

#include <cstdio>
#include <mutex>
#include <utility>

namespace weft::inline v0::core {

namespace {

/// Guards coroutine::innermost of those that have failed with a handle left: the handle's
/// destructor and the end of the scope may meet there. Failures are rare enough for one lock.
std::mutex failures;

/// A lock where there are several threads.
class maybe_held {
 public:
  maybe_held(tiny_lock& lock, bool concurrent) noexcept : lock_(concurrent ? &lock : nullptr) {
    if (lock_) lock_->lock();
  }
  maybe_held(const maybe_held&) = delete;
  maybe_held& operator=(const maybe_held&) = delete;
  ~maybe_held() {
    if (lock_) lock_->unlock();
  }

 private:
  tiny_lock* lock_;
};

list_node& node(coroutine& c) noexcept { return c; }

}  // namespace

task_scope::task_scope(bool is_concurrent, unsigned shards, scope_list* known_to)
    : concurrent(is_concurrent),
      shards_(shards),
      known_to_(known_to),
      more_(shards > 1 ? new shard[shards - 1] : nullptr) {
  if (known_to_) known_to_->add(*this);
}

task_scope::~task_scope() {
  if (known_to_) known_to_->remove(*this);
}

void task_scope::adopt(coroutine& c, unsigned worker_index) noexcept {
  c.innermost = this;
  c.concurrent = concurrent;
  c.shard = static_cast<std::uint16_t>(worker_index % shards_);
  shard& s = at(c.shard);
  {
    const maybe_held held(s.lock, concurrent);
    s.children.push_back(c);
    if (++s.live != 1) return;
  }
  const maybe_held held(end_lock_, concurrent);
  ++open_;
}

void task_scope::forget(coroutine& c) noexcept {
  const maybe_held held(at(c.shard).lock, concurrent);
  node(c).unlink();
}

void task_scope::count_down(unsigned i) noexcept {
  {
    const maybe_held held(at(i).lock, concurrent);
    if (--at(i).live != 0) return;
  }
  const maybe_held held(end_lock_, concurrent);
  if (--open_ != 0 || !closer_) return;
  task& t = *closer_;
  const bool won = concurrent ? t.complete(t.generation(), 0) : t.complete_at_home(0);
  if (won) t.kind->wake(t);
}

void task_scope::enter(coroutine& by) noexcept {
  opener = &by;
  outer = by.innermost;
  if (shield) by.life.enter_shield(by.concurrent);
  depth_ = by.life.shields();
  by.innermost = this;
}

void task_scope::exit() noexcept {
  opener->innermost = outer;
  if (shield) opener->life.leave_shield(opener->concurrent);
}

void task_scope::leave(task& closer) noexcept {
  const maybe_held held(end_lock_, concurrent);
  closer_ = &closer;
  --open_;
}

bool task_scope::ended() noexcept {
  const maybe_held held(end_lock_, concurrent);
  return open_ == 0;
}

void task_scope::collect_failures() noexcept {
  const std::lock_guard held(failures);
  for (unsigned i = 0; i < shards_; ++i) {
    const maybe_held list_held(at(i).lock, concurrent);
    while (coroutine* c = at(i).children.pop_front()) {
      if (!failure_ && !c->joined) failure_ = c->failure();
      c->innermost = nullptr;
    }
  }
}

void tell_lost(std::exception_ptr failure) noexcept {
  const auto tell = [](const char* what) {
    std::fprintf(stderr, "weft: a task that nobody joined has failed: %s\n", what);
  };
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const std::exception& e) {
    tell(e.what());
  } catch (...) {
    tell("an exception that is no std::exception");
  }
}

void hand_over_failure(coroutine& c) noexcept {
  const std::lock_guard held(failures);
  if (!c.innermost) return;
  task_scope& s = *c.innermost;
  s.forget(c);
  c.innermost = nullptr;
  if (!c.joined) s.fail(c.failure());
}

void task_scope::fail(std::exception_ptr e) noexcept {
  bool together = false;
  {
    const maybe_held held(end_lock_, concurrent);
    together = fails_ == failing::together;
    if (fails_ != failing::alone && !failure_) std::swap(failure_, e);
  }
  if (e) tell_lost(std::move(e));
  if (together) cancel();
}

void task_scope::let_fail(failing f) noexcept {
  const maybe_held held(end_lock_, concurrent);
  fails_ = f;
}

std::exception_ptr task_scope::take_failure() noexcept {
  const maybe_held held(end_lock_, concurrent);
  return std::exchange(failure_, nullptr);
}

void task_scope::cancel() noexcept {
  if (cancelled_.exchange(true, std::memory_order_seq_cst)) return;
  if (opener) opener->interrupt(depth_);
  for (unsigned i = 0; i < shards_; ++i) interrupt_children(at(i), 0);
}

std::size_t task_scope::count_children() noexcept {
  std::size_t n = 0;
  for (unsigned i = 0; i < shards_; ++i) {
    const maybe_held held(at(i).lock, concurrent);
    n += at(i).live;
  }
  return n;
}

std::size_t task_scope::report(std::span<coroutine_report> into) noexcept {
  std::size_t n = 0;
  for (unsigned i = 0; i < shards_; ++i) {
    const maybe_held held(at(i).lock, concurrent);
    list<coroutine>& children = at(i).children;
    for (coroutine* c = children.front(); c && n < into.size(); c = children.after(*c))
      into[n++] = report_of(*c);
  }
  return n;
}

void scope_list::add(task_scope& s) noexcept {
  const std::lock_guard held(lock_);
  scopes_.push_back(s);
}

void scope_list::remove(task_scope& s) noexcept {
  const std::lock_guard held(lock_);
  static_cast<list_node&>(s).unlink();
}

std::vector<coroutine_report> scope_list::report() {
  std::vector<coroutine_report> all;
  const std::lock_guard held(lock_);
  for (task_scope* s = scopes_.front(); s; s = scopes_.after(*s)) {
    const std::size_t before = all.size();
    const std::size_t room = s->count_children() + 16;  // some may be spawned meanwhile
    all.resize(before + room);
    all.resize(before + s->report(std::span(all).last(room)));
  }
  return all;
}

void task_scope::interrupt_all() noexcept {
  for (unsigned i = 0; i < shards_; ++i) interrupt_children(at(i), UINT32_MAX);
}

void task_scope::interrupt_children(shard& s, std::uint32_t shields) noexcept {
  const maybe_held held(s.lock, concurrent);
  for (coroutine* c = s.children.front(); c; c = s.children.after(*c)) c->interrupt(shields);
}

}  // namespace weft::inline v0::core
