// SPDX-License-Identifier: MIT
#include "weft/core/permits.hpp"

namespace weft::inline v0::core {

/// What is free goes to the oldest waiters, as far as it suffices.
void permits::serve(waiters::holding& held) noexcept {
  while (wait_record* r = held.first()) {
    const std::size_t wanted = static_cast<permit_wait*>(r)->wanted;
    if (wanted > free_) return;
    if (held.complete(*r)) free_ -= wanted;
  }
}

void permits::pass_on(std::size_t k) noexcept {
  waiters::holding held(waiting_);
  free_ += k;
  serve(held);
}

pass permits::publish(permit_wait& r) noexcept {
  waiters::holding held(waiting_);
  if (free_ < r.wanted || held.anybody()) {
    held.append(r);
    return pass::wait;
  }
  const pass result = held.complete_performer(r);
  if (result == pass::done) free_ -= r.wanted;
  return result;
}

void permits::retract(permit_wait& r) noexcept {
  waiters::holding held(waiting_);
  // One that wanted much may have kept others waiting that want less.
  if (held.retract(r)) serve(held);
}

std::size_t permits::free() noexcept {
  const waiters::looking held(waiting_);
  return free_;
}

}  // namespace weft::inline v0::core
