// SPDX-License-Identifier: MIT
// call: one request to a foreign library, from post() to the end of its answer.
//
// The library holds a token, never a pointer: a place in a table and a generation, so that an
// answer that comes twice, or after the call's end, is told from one that is waited for. The places
// are never given back to the system.
//
//   word   {generation, taken, answered, abandoned}. Who sets which:
//     taken      a poller, unless abandoned: the library has it, and only its answer frees it
//     answered   respond(), once
//     abandoned  the host: nobody waits any more
//   host   everything else is its own, but for what respond() leaves between answered and its push
#pragma once

#include <cstddef>
#include <cstdint>

#include "foreign/pile.hpp"
#include "weft/core/list.hpp"
#include "weft/core/task.hpp"
#include "weft/foreign.h"

namespace weft::inline v0::foreign {

class host;

/// Bytes that are sent. release null: they are copied. Else they are lent until release(owner),
/// which may come from any thread.
struct request {
  const char* data = nullptr;
  std::size_t size = 0;
  void (*release)(void* owner) noexcept = nullptr;
  void* owner = nullptr;
  const char* method = "";  // stays for good
};

/// A part of an answer that came ahead of its end.
struct part : piled {
  weft_task* of = nullptr;
  char* data = nullptr;  // malloc'ed, this part's
  std::size_t size = 0;
};

/// In a list of its host's while somebody holds it.
struct call : piled, core::list_node {
  static constexpr std::uint64_t taken = 1;
  static constexpr std::uint64_t answered = 2;
  static constexpr std::uint64_t abandoned = 4;
  static constexpr std::uint64_t generation_step = 8;
  static constexpr std::size_t inline_size = 64;

  core::atomic<std::uint64_t> word{0};
  std::uint32_t place = 0;          // in the table
  core::atomic<host*> at{nullptr};  // stays when the call ends: a part may be on its way there

  // What is asked.
  char* data = nullptr;  // the request; what was lent, `inlined`, or malloc'ed
  std::size_t size = 0;
  void (*release)(void* owner) noexcept = nullptr;
  void* owner = nullptr;
  core::nanoseconds deadline = core::forever;
  const char* method = "";

  // What is answered; to be read once it has arrived.
  int status = 0;
  char* answer = nullptr;  // malloc'ed, or `inlined`, or null
  std::size_t answer_size = 0;
  core::atomic<std::int64_t> unread{0};  // parts sent and not taken

  // The host's.
  bool arrived = false;
  part* first_part = nullptr;  // those that have arrived and have not been taken
  part* last_part = nullptr;
  bool streams = false;                   // its waiters want to know of each part
  bool expired = false;                   // nobody waits for the rest of its parts any more
  bool fleeting = false;                  // ends by itself when it arrives and nobody waits
  core::list<core::wait_record> waiters;  // completed when it arrives
  core::wait_record expiry;               // in the wheel of its host's worker: see site::bound
  void (*on_arrival)(call&, void* context) noexcept = nullptr;
  void* context = nullptr;
  call** holder = nullptr;  // set to null when the call ends under its holder's hands

  char inlined[inline_size];  // a short request; then a short answer

  std::uint64_t generation() const noexcept {
    return word.load(std::memory_order_relaxed) / generation_step;
  }
  weft_task* token() const noexcept;

  /// Ends the request's bytes. Whoever has the call to itself.
  void drop_request() noexcept;
  /// Frees the answer and the parts.
  void drop_answer() noexcept;
};

/// The call of a place that is in use.
call& call_at(std::uint32_t place) noexcept;
/// The call of a token, with the word it had then; null if the call has ended.
call* find(weft_task* token, std::uint64_t* word) noexcept;

/// Calls to use, linked by `next`; null: not enough memory. Any thread.
piled* allocate_calls() noexcept;
/// Ends a call, whose token is void from now on. Whoever has it to itself.
void reset_call(call& c) noexcept;
/// Gives back a call that has been reset, and those linked behind it. Any thread.
void free_calls(piled* first) noexcept;
/// Both.
inline void free_call(call& c) noexcept {
  reset_call(c);
  static_cast<piled&>(c).next = nullptr;
  free_calls(&c);
}

}  // namespace weft::inline v0::foreign
