// SPDX-License-Identifier: MIT
// forks: how often this process came out of a fork. What was made before is the parent's: the child
// has none of its threads, which may hold any lock. So it neither takes these nor touches the
// kernel objects that it shares with the parent. Checked by tests/task/fork_test.cpp.
#pragma once

#include "weft/config.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0::core {

extern WEFT_API atomic<unsigned> forks_seen;

/// Another number in each child. Any thread.
inline unsigned forks_of_process() noexcept { return forks_seen.load(std::memory_order_relaxed); }

}  // namespace weft::inline v0::core
