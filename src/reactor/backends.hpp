// SPDX-License-Identifier: MIT
// The backends by name; each is null with an errno in *error where the kernel has none.
#pragma once

#include "weft/core/reactor.hpp"

namespace weft::inline v0::reactor {

core::reactor* make_epoll(int* error) noexcept;
core::reactor* make_select(int* error) noexcept;

}  // namespace weft::inline v0::reactor
