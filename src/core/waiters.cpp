// SPDX-License-Identifier: MIT
#include "weft/core/waiters.hpp"

namespace weft::inline v0::core {

void waiters::holding::wake_completed() noexcept {
  while (wait_record* r = completed_.pop_front()) {
    task& t = *r->owner;
    t.kind->wake(t);
  }
}

}  // namespace weft::inline v0::core
