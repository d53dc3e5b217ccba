// SPDX-License-Identifier: MIT
// forks: how often this process came out of a fork. What was made before belongs to the parent: the
// child has none of its threads, one of which may have held any of its locks. So the child neither
// takes these nor touches what it shares with the parent's kernel objects.
#pragma once

#include "weft/config.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0::core {

extern WEFT_API atomic<unsigned> forks_seen;

/// Another number in each child. Any thread.
inline unsigned forks_of_process() noexcept { return forks_seen.load(std::memory_order_relaxed); }

}  // namespace weft::inline v0::core
