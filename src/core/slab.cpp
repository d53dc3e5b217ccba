// SPDX-License-Identifier: MIT
#include "weft/core/slab.hpp"

#include <cstdlib>

namespace weft::inline v0::core {

namespace {

constexpr std::size_t chunk_bytes = std::size_t{16} * 1024;

}  // namespace

slab::~slab() {
  while (chunks_) {
    block* next = chunks_->next;
    std::free(chunks_);
    chunks_ = next;
  }
}

wait_record* slab::refill(unsigned c) noexcept {
  auto* chunk = static_cast<char*>(std::malloc(chunk_bytes));
  if (!chunk) return nullptr;
  bytes_ += chunk_bytes;
  chunks_ = ::new (static_cast<void*>(chunk)) block{chunks_};
  const std::size_t size = sizeof(wait_record) << c;
  constexpr std::size_t first = alignof(std::max_align_t);
  for (std::size_t at = first; at + size <= chunk_bytes; at += size)
    free_[c] = ::new (static_cast<void*>(chunk + at)) block{free_[c]};
  return allocate(1U << c);
}

wait_record* slab::allocate_large(std::uint32_t n) noexcept {
  void* p = std::malloc(n * sizeof(wait_record));
  if (!p) return nullptr;
  bytes_ += n * sizeof(wait_record);
  return reset(p, n);
}

void slab::release_large(wait_record* records, std::uint32_t n) noexcept {
  bytes_ -= n * sizeof(wait_record);
  std::free(records);
}

}  // namespace weft::inline v0::core
