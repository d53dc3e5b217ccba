// SPDX-License-Identifier: MIT
#include "foreign/call.hpp"

#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

namespace weft::inline v0::foreign {

namespace {

// The table: chunks that are made when they are needed and stay.
constexpr std::uint32_t chunk_bits = 8;
constexpr std::uint32_t chunk_size = 1U << chunk_bits;
constexpr std::uint32_t handful = 32;            // that a host takes at once
constexpr std::uint32_t chunk_limit = 1U << 14;  // four million calls at once

// A token: the top bit, the generation, the place. With the top bit it is no address that a
// program can have: a collector that finds one on a stack (Go's) takes it for a number.
constexpr unsigned token_bits = sizeof(void*) * 8;
constexpr unsigned place_bits = 22;
constexpr std::uintptr_t mark = std::uintptr_t{1} << (token_bits - 1);
constexpr std::uintptr_t generations = mark >> place_bits;
static_assert(chunk_size * chunk_limit == 1U << place_bits);

core::atomic<call*> chunks[chunk_limit];

std::mutex free_mutex;
piled* spare_calls = nullptr;
std::uint32_t chunk_count = 0;

/// With the mutex held.
bool add_chunk() noexcept {
  if (chunk_count == chunk_limit) return false;
  call* const chunk = new (std::nothrow) call[chunk_size];
  if (!chunk) return false;
  for (std::uint32_t i = chunk_size; i-- > 0;) {
    chunk[i].place = chunk_count * chunk_size + i;
    static_cast<piled&>(chunk[i]).next = spare_calls;
    spare_calls = &chunk[i];
  }
  chunks[chunk_count++].store(chunk, std::memory_order_release);
  return true;
}

}  // namespace

weft_task* call::token() const noexcept {
  const std::uintptr_t g = static_cast<std::uintptr_t>(generation()) & (generations - 1);
  return reinterpret_cast<weft_task*>(mark | g << place_bits | place);  // NOLINT: never an address
}

call& call_at(std::uint32_t place) noexcept {
  call* const chunk = chunks[place >> chunk_bits].load(std::memory_order_acquire);
  return chunk[place & (chunk_size - 1)];
}

call* find(weft_task* token, std::uint64_t* word) noexcept {
  const auto bits = reinterpret_cast<std::uintptr_t>(token);
  if (!(bits & mark)) return nullptr;
  const std::uint32_t place = static_cast<std::uint32_t>(bits) & ((1U << place_bits) - 1);
  call* const chunk = chunks[place >> chunk_bits].load(std::memory_order_acquire);
  if (!chunk) return nullptr;
  call& c = chunk[place & (chunk_size - 1)];
  *word = c.word.load(std::memory_order_acquire);
  const auto g = static_cast<std::uintptr_t>(*word / call::generation_step) & (generations - 1);
  return g == ((bits & ~mark) >> place_bits) ? &c : nullptr;
}

piled* allocate_calls() noexcept {
  const std::lock_guard held(free_mutex);
  if (!spare_calls && !add_chunk()) return nullptr;
  piled* const first = spare_calls;
  piled* last = first;
  for (std::uint32_t i = 1; i < handful && last->next; ++i) last = last->next;
  spare_calls = std::exchange(last->next, nullptr);
  return first;
}

void free_calls(piled* first) noexcept {
  if (!first) return;
  piled* last = first;
  while (last->next) last = last->next;
  const std::lock_guard held(free_mutex);
  last->next = std::exchange(spare_calls, first);
}

void call::drop_request() noexcept {
  if (release)
    release(owner);
  else if (data != inlined)
    std::free(data);
  data = nullptr;
  size = 0;
  release = nullptr;
}

void call::drop_answer() noexcept {
  if (answer != inlined) std::free(answer);
  answer = nullptr;
  answer_size = 0;
  while (part* p = first_part) {
    first_part = static_cast<part*>(p->next);
    std::free(p->data);
    delete p;
  }
  last_part = nullptr;
}

void reset_call(call& c) noexcept {
  c.drop_request();
  c.drop_answer();
  c.status = 0;
  c.deadline = core::forever;
  c.unread.store(0, std::memory_order_relaxed);
  c.arrived = c.streams = c.expired = c.fleeting = false;
  c.on_arrival = nullptr;
  c.holder = nullptr;
  c.word.store((c.generation() + 1) * call::generation_step, std::memory_order_release);
}

}  // namespace weft::inline v0::foreign
