// SPDX-License-Identifier: MIT
// frames: memory of coroutine frames (and of other small short-lived blocks), kept by size class in
// the thread that gave it back. Frames live a few hundred nanoseconds and come in few sizes: a free
// list a size halves the cost of a call. What a thread keeps is bounded, and freed when it ends.
#pragma once

#include <cstddef>

#include "weft/config.hpp"

namespace weft::inline v0::core {

/// Throws std::bad_alloc.
WEFT_API void* allocate_frame(std::size_t size);
/// From any thread, with the size that was asked for.
WEFT_API void release_frame(void* frame, std::size_t size) noexcept;

}  // namespace weft::inline v0::core
