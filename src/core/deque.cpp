// SPDX-License-Identifier: MIT
#include "weft/core/deque.hpp"

#include <new>

namespace weft::inline v0::core {

namespace {
constexpr std::int64_t first_capacity = 256;
}

deque::deque() {
  buffers_.push_back(std::make_unique<buffer>(first_capacity));
  buffer_.store(buffers_.back().get(), std::memory_order_relaxed);
}
deque::~deque() = default;

deque::buffer* deque::grow(buffer& old) noexcept {
  try {
    auto bigger = std::make_unique<buffer>(2 * (old.mask + 1));
    const std::int64_t b = bottom_.load(std::memory_order_relaxed);
    for (std::int64_t i = top_.load(std::memory_order_acquire); i < b; ++i)
      bigger->at(i).store(old.at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    buffers_.push_back(std::move(bigger));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  buffer* now = buffers_.back().get();
  buffer_.store(now, std::memory_order_release);
  return now;
}

}  // namespace weft::inline v0::core
