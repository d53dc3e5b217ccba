// SPDX-License-Identifier: MIT
#include "foreign/host.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace weft::inline v0::foreign {

namespace {

// Marks: tops of a pile of answers with nothing in it. Watching is null.
piled armed_mark;
piled closed_mark;

bool is_mark(const piled* p) noexcept {
  return p == nullptr || p == &armed_mark || p == &closed_mark;
}

std::mutex pool_mutex;
host* pool = nullptr;

}  // namespace

host::pointer host::open(notify_function notify, void* context) noexcept {
  const std::lock_guard held(pool_mutex);
  host* h = pool;
  if (h)
    pool = h->next_;
  else
    h = new (std::nothrow) host;
  if (!h) return nullptr;
  {
    const std::lock_guard notifying(h->notifying_);
    h->notify_ = notify;
    h->context_ = context;
  }
  h->answers_.take(nullptr);  // was closed: nothing in it
  return pointer(h);
}

/// The calls that are out answer to nobody: their threads free them.
void host::close() noexcept {
  {
    const std::lock_guard held(notifying_);
    notify_ = nullptr;
  }
  flush();
  while (call* c = held_.front()) {
    if (c->holder) *c->holder = nullptr;
    leave(*c);
  }
  for (piled* p = answers_.take(&closed_mark); p && !is_mark(p);) {
    piled* const next = p->next;
    if (p->is_part)
      free_part(static_cast<part*>(p));
    else
      free_call(static_cast<call&>(*p));
    p = next;
  }
  free_calls(std::exchange(spare_, nullptr));
  const std::lock_guard held(pool_mutex);
  next_ = std::exchange(pool, this);
}

void host::forget() noexcept {
  while (call* c = held_.pop_front())
    if (c->holder) *c->holder = nullptr;
}

call* host::new_call(const request& what) noexcept {
  if (!spare_) spare_ = allocate_calls();
  if (!spare_) return nullptr;
  auto* const c = static_cast<call*>(spare_);
  spare_ = spare_->next;
  c->size = what.size;
  c->release = what.release;
  c->owner = what.owner;
  c->method = what.method;
  if (what.release) {
    c->data = const_cast<char*>(what.data);
    return c;
  }
  if (!what.data) return c;
  c->data =
      what.size < call::inline_size ? c->inlined : static_cast<char*>(std::malloc(what.size + 1));
  if (!c->data) {
    recycle(*c);
    return nullptr;
  }
  std::memcpy(c->data, what.data, what.size);
  c->data[what.size] = 0;
  return c;
}

void host::recycle(call& c) noexcept {
  reset_call(c);
  static_cast<piled&>(c).next = std::exchange(spare_, &c);
}

host::posting host::post(queue& to, const request& what, core::nanoseconds deadline) noexcept {
  call* const c = new_call(what);
  if (!c) {
    if (what.release) what.release(what.owner);
    return {outcome::no_memory, nullptr};
  }
  c->at.store(this, std::memory_order_relaxed);
  c->deadline = deadline;
  bool parked = false;
  const queue::outcome how = to.post(*c, &parked);
  if (how != queue::outcome::posted) {
    recycle(*c);
    return {how == queue::outcome::full ? outcome::full : outcome::finished, nullptr};
  }
  held_.push_back(*c);
  ++pending_;
  if (parked && !to.next_to_wake) {
    to.next_to_wake = to_wake_ ? to_wake_ : &to;  // the last points to itself
    to_wake_ = &to;
  }
  return {outcome::posted, c};
}

void host::leave(call& c) noexcept {
  static_cast<core::list_node&>(c).unlink();
  while (c.waiters.pop_front()) {
  }
  if (c.expiry.linked()) c.expiry.unlink();
  if (c.arrived) return recycle(c);
  c.on_arrival = nullptr;
  c.holder = nullptr;
  if (!c.expired) abandon(c);
}

void host::expire(call& c) noexcept {
  c.expired = true;
  abandon(c);
  end_waits(c);
}

void host::abandon(call& c) noexcept {
  --pending_;
  const std::uint64_t before = c.word.fetch_or(call::abandoned, std::memory_order_acq_rel);
  // No poller has it, and none will look at its request; the place is freed when one comes by it.
  if (!(before & call::taken)) c.drop_request();
}

part* host::take_part(call& c) noexcept {
  part* const p = c.first_part;
  if (!p) return nullptr;
  c.first_part = static_cast<part*>(p->next);
  if (!c.first_part) c.last_part = nullptr;
  if (c.streams) c.unread.fetch_sub(1, std::memory_order_relaxed);
  return p;
}

void host::free_part(part* p) noexcept {
  std::free(p->data);
  delete p;
}

bool host::flush() noexcept {
  bool woken = false;
  for (queue* q = std::exchange(to_wake_, nullptr); q; woken = true) {
    queue* const next = std::exchange(q->next_to_wake, nullptr);
    q->wake();
    q = next == q ? nullptr : next;
  }
  return woken;
}

std::size_t host::deliver() noexcept {
  if (!has_answers()) return 0;
  std::size_t n = 0;
  for (piled* p = pile::reversed(answers_.take(nullptr)); p; ++n) {
    piled* const next = p->next;
    if (p->is_part)
      arrive(static_cast<part&>(*p));
    else
      arrive(static_cast<call&>(*p));
    p = next;
  }
  return n;
}

void host::arrive(part& p) noexcept {
  std::uint64_t word = 0;
  call* const c = find(p.of, &word);
  if (!c || (word & call::abandoned)) return free_part(&p);
  p.next = nullptr;
  if (c->last_part)
    c->last_part->next = &p;
  else
    c->first_part = &p;
  c->last_part = &p;
  if (c->streams) return end_waits(*c);
  c->unread.fetch_sub(1, std::memory_order_relaxed);  // gathered: its reader is never slow
}

void host::arrive(call& c) noexcept {
  const bool held = static_cast<core::list_node&>(c).linked();
  if (!held) return recycle(c);
  c.arrived = true;
  if (c.expired) return;
  --pending_;
  if (c.expiry.linked()) c.expiry.unlink();
  if (c.fleeting && c.waiters.empty()) return leave(c);
  end_waits(c);
  if (c.on_arrival) c.on_arrival(c, c.context);
}

/// Wakes the tasks that wait for the call.
void host::end_waits(call& c) noexcept {
  while (core::wait_record* r = c.waiters.pop_front()) {
    core::task& waiter = *r->owner;
    if (waiter.complete_at_home(r->arm)) waiter.kind->wake(waiter);
  }
}

bool host::has_answers() const noexcept { return !is_mark(answers_.top()); }
bool host::arm() noexcept { return answers_.change(nullptr, &armed_mark) || !has_answers(); }
void host::disarm() noexcept { answers_.change(&armed_mark, nullptr); }

void host::give_back(const call& of, piled& p) noexcept {
  host& to = *of.at.load(std::memory_order_relaxed);  // hosts are never freed
  piled* before = nullptr;
  if (!to.answers_.push(p, &closed_mark, is_mark, &before)) {
    if (p.is_part)
      free_part(static_cast<part*>(&p));
    else
      free_call(static_cast<call&>(p));
    return;
  }
  if (before != &armed_mark) return;
  const std::lock_guard held(to.notifying_);
  if (to.notify_) to.notify_(to.context_);
}

}  // namespace weft::inline v0::foreign
