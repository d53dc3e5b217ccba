// SPDX-License-Identifier: MIT
#include "foreign/site.hpp"

#include <new>
#include <utility>

namespace weft::inline v0::foreign {

const core::task_kind site::bell_kind = {"foreign answers", site::run_bell, nullptr};
const core::task_kind site::turn_kind = {"foreign calls", site::run_turn, nullptr};
const core::task_kind site::expiry_kind = {"foreign deadlines", nullptr, site::expire};

site::site(core::worker& w) noexcept
    : worker_(w), bell_(bell_kind, *this), turn_(turn_kind, *this), expiry_(expiry_kind, *this) {
  expiry_.begin_plain();
}

site::pointer site::make(core::worker& w) noexcept {
  pointer s(new (std::nothrow) site(w));
  if (s) s->host_ = host::open(notify, s.get());
  return s && s->host_ ? std::move(s) : nullptr;
}

void site::retire() noexcept {
  host_.reset();
  if (std::exchange(is_source_, false)) worker_.drop_source();
  delete_if_idle();
}

void site::delete_if_idle() noexcept {
  if (!queued_ && !rung_.load(std::memory_order_acquire)) delete this;
}

host::posting site::post(queue& to, const request& what, core::nanoseconds deadline) noexcept {
  const host::posting p = host_->post(to, what, deadline);
  if (!p.made) return p;
  count_source();
  queue_turn();
  return p;
}

void site::leave(call& c) noexcept {
  host_->leave(c);
  count_source();
}

void site::bound(call& c, core::nanoseconds deadline) noexcept {
  c.expiry.owner = &expiry_;
  c.expiry.arm = c.place;
  worker_.arm_timer(c.expiry, deadline);
}

/// A record has fired, whose arm says of which call; the next one may fire at once.
void site::expire(core::task& t) noexcept {
  site& s = static_cast<part_task&>(t).of;
  call& c = call_at(t.winner);
  t.begin_plain();
  s.host_->expire(c);
  s.count_source();
}

void site::queue_turn() noexcept {
  if (!std::exchange(queued_, true)) worker_.ready(turn_);
}

void site::count_source() noexcept {
  const bool waits = host_->pending() != 0;
  if (waits == is_source_) return;
  is_source_ = waits;
  if (waits)
    worker_.add_source();
  else
    worker_.drop_source();
}

/// Any thread. The flag: a late call of a host's that had the same place before ours rings too.
void site::notify(void* context) noexcept {
  auto& s = *static_cast<site*>(context);
  if (!s.rung_.exchange(true, std::memory_order_acq_rel)) s.worker_.post(s.bell_);
}

void site::run_bell(core::task& t, core::worker&) {
  site& s = static_cast<part_task&>(t).of;
  s.rung_.store(false, std::memory_order_release);
  if (!s.host_) return s.delete_if_idle();
  if (s.host_->has_answers()) s.queue_turn();
}

void site::run_turn(core::task& t, core::worker&) {
  site& s = static_cast<part_task&>(t).of;
  s.queued_ = false;
  if (!s.host_) return s.delete_if_idle();
  s.turn();
}

void site::turn() noexcept {
  host_->disarm();
  host_->flush();
  host_->deliver();
  count_source();
  if (worker_.has_ready()) return queue_turn();
  if (host_->pending() == 0 || !host_->look_again()) {
    if (host_->arm()) return;
  }
  host_->deliver();
  count_source();
  queue_turn();
}

}  // namespace weft::inline v0::foreign
