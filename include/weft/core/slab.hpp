// SPDX-License-Identifier: MIT
// slab: a worker's blocks of wait records, for choices. One free list a power of two; what is
// larger than 64 records comes from malloc each time. Single-threaded; memory goes back at
// destruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "weft/config.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

class WEFT_API slab {
 public:
  slab() = default;
  slab(const slab&) = delete;
  slab& operator=(const slab&) = delete;
  ~slab();

  /// n > 0 unlinked records, or null for want of memory.
  wait_record* allocate(std::uint32_t n) noexcept {
    const unsigned c = size_class(n);
    if (c >= classes) return allocate_large(n);
    block* b = free_[c];
    if (!b) return refill(c);
    free_[c] = b->next;
    return reset(b, n);
  }
  /// What allocate(n) gave, unlinked, with the same n.
  void release(wait_record* records, std::uint32_t n) noexcept {
    const unsigned c = size_class(n);
    if (c >= classes) return release_large(records, n);
    free_[c] = ::new (static_cast<void*>(records)) block{free_[c]};
  }

  /// What is held from the system, in use or not.
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct block {
    block* next;
  };
  static constexpr unsigned classes = 7;  // 1, 2, 4 ... 64 records

  static unsigned size_class(std::uint32_t n) noexcept {
    return n <= 1 ? 0 : 32U - static_cast<unsigned>(__builtin_clz(n - 1));
  }
  static wait_record* reset(void* memory, std::uint32_t n) noexcept;
  wait_record* refill(unsigned c) noexcept;
  wait_record* allocate_large(std::uint32_t n) noexcept;
  void release_large(wait_record* records, std::uint32_t n) noexcept;

  block* free_[classes] = {};
  block* chunks_ = nullptr;
  std::size_t bytes_ = 0;
};

inline wait_record* slab::reset(void* memory, std::uint32_t n) noexcept {
  auto* records = static_cast<wait_record*>(memory);
  for (std::uint32_t i = 0; i < n; ++i) ::new (static_cast<void*>(records + i)) wait_record();
  return records;
}

}  // namespace weft::inline v0::core
