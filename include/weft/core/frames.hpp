// SPDX-License-Identifier: MIT
// frames: memory of coroutine frames (and of other small short-lived blocks), kept by size class in
// the thread that gave it back. Frames live a few hundred nanoseconds and come in few sizes: a free
// list a size halves the cost of a call. What a thread keeps is bounded, and freed when it ends.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/config.hpp"

namespace weft::inline v0::core {

inline constexpr std::size_t frame_class_step = 64;  // bytes
inline constexpr std::uint8_t frame_classes = 16;    // up to 1 KiB; what is larger is not kept

constexpr std::uint8_t frame_class_of(std::size_t size) noexcept {
  const std::size_t c = (size - 1) / frame_class_step;
  return c < frame_classes ? static_cast<std::uint8_t>(c) : frame_classes;
}

/// size: in bytes, at least 1. Throws std::bad_alloc.
WEFT_API void* allocate_frame(std::size_t size);
/// From any thread. size_class: of the size that was asked for.
WEFT_API void release_frame(void* frame, std::uint8_t size_class) noexcept;

}  // namespace weft::inline v0::core
