// SPDX-License-Identifier: MIT
#include "weft/core/forks.hpp"

#include <pthread.h>

namespace weft::inline v0::core {

constinit atomic<unsigned> forks_seen{0};

namespace {

[[maybe_unused]] const int registered =
    ::pthread_atfork(nullptr, nullptr, +[] { forks_seen.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

}  // namespace weft::inline v0::core
