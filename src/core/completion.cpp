// SPDX-License-Identifier: MIT
#include "weft/core/completion.hpp"

namespace weft::inline v0::core {

const task_kind completion::kind_table = {"completion", completion::run_at_home, nullptr};

completion::completion(worker& home) noexcept : task(kind_table), home_(home.address()) {
  home.add_source();
  home_.add_reference();
}

completion::~completion() { home_.drop_reference(); }

bool completion::finish() noexcept {
  if (finished_.exchange(true, std::memory_order_acq_rel)) return false;
  if (!home_.post(*this)) drop_reference();  // else the finisher's reference travels with it
  return true;
}

void completion::drop_reference() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void completion::run_at_home(task& t, worker& w) {
  auto& self = static_cast<completion&>(t);
  w.drop_source();
  self.arrived_ = true;
  while (wait_record* r = self.waiters_.pop_front()) {
    task& waiter = *r->owner;
    if (waiter.complete_at_home(r->arm)) waiter.kind->wake(waiter);
  }
  self.drop_reference();
}

}  // namespace weft::inline v0::core
