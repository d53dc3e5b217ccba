// SPDX-License-Identifier: MIT
#include "foreign/spin.hpp"

namespace weft::inline v0::foreign {

bool patience::alone() noexcept {
  static const bool one = [] {
    cpu_set_t mine;
    return ::sched_getaffinity(0, sizeof mine, &mine) == 0 && CPU_COUNT(&mine) == 1;
  }();
  return one;
}

}  // namespace weft::inline v0::foreign
