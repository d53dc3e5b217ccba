// SPDX-License-Identifier: MIT
#include "weft/core/frames.hpp"

#include <cstdlib>
#include <new>

namespace weft::inline v0::core {

namespace {

// AddressSanitizer sees a use after free only of what was freed.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool caching = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool caching = false;
#else
constexpr bool caching = true;
#endif
#else
constexpr bool caching = true;
#endif
constexpr unsigned most_kept = 1024;  // blocks a class and thread

struct block {
  block* next;
};

/// A thread's free lists. Trivial, so that reaching it costs no check of an initialisation.
struct cache {
  block* free[frame_classes];
  unsigned count[frame_classes];
  enum : unsigned char { fresh, open, closed } state;  // closed: the thread is ending
};
thread_local cache kept [[gnu::tls_model("initial-exec")]];

/// Frees what the thread has kept when it ends.
struct sweeper {
  sweeper() noexcept = default;
  sweeper(const sweeper&) = delete;
  sweeper& operator=(const sweeper&) = delete;
  ~sweeper() {
    kept.state = cache::closed;
    for (block*& list : kept.free)
      while (block* b = list) {
        list = b->next;
        std::free(b);
      }
  }
};

/// The first block that a thread keeps: from now on it has something to free.
[[gnu::noinline]] void open(cache& mine) noexcept {
  thread_local sweeper at_exit;
  static_cast<void>(&at_exit);
  mine.state = cache::open;
}

[[gnu::noinline]] void* allocate_new(std::size_t size) {
  void* p = std::malloc(size);
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::uint8_t c = frame_class_of(size);
  if (c == frame_classes) return allocate_new(size);
  cache& mine = kept;
  block* b = mine.free[c];
  if (!b) return allocate_new((c + std::size_t{1}) * frame_class_step);
  mine.free[c] = b->next;
  --mine.count[c];
  return b;
}

void release_frame(void* frame, std::uint8_t c) noexcept {
  cache& mine = kept;
  if (!caching || c == frame_classes || mine.count[c] >= most_kept) return std::free(frame);
  if (mine.state != cache::open) [[unlikely]] {
    if (mine.state == cache::closed) return std::free(frame);
    open(mine);
  }
  mine.free[c] = ::new (frame) block{mine.free[c]};
  ++mine.count[c];
}

}  // namespace weft::inline v0::core
