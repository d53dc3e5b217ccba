// SPDX-License-Identifier: MIT
// Shared arms: arms of a fiber's wait that may be completed on other threads. A fiber's wait is a
// plain word; with one shared arm in it, it is an atomic one that all completers change by
// compare-and-swap, those at home too (task::begin_mixed).
//
//   - The arms are made before the wait begins, and linked from the fiber's record, whose place is
//     free then. The worker publishes them when the fiber is suspended, after the arms at home: so
//     a yield that is refused leaves nothing that another thread can see.
//   - While there are any, the fiber's kind is state::shared_kind: whoever completes it elsewhere
//     posts it to home's inbox.
//   - Home takes them back when it resumes the fiber. The winner is kept in state::settling until
//     its result is on the fiber's stack.
// models/: publish.pml; local_mixed (arms at home and on shared channels), half_published*.
#pragma once

#include <new>
#include <optional>
#include <utility>

#include "lua/fiber.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0::lua {

struct shared_arm;

struct shared_arm_kind {
  bool (*attempt)(shared_arm&, performer&) noexcept;
  core::pass (*publish)(shared_arm&, performer&) noexcept;
  /// After the wait: unlinks it; `won` if it was completed by this arm.
  void (*retract)(shared_arm&, performer&, bool won) noexcept;
  void (*destroy)(shared_arm*) noexcept;
};

struct shared_arm {
  const shared_arm_kind* kind;
  core::worker* home;          // of the fiber; null for an attempt outside any
  shared_arm* next = nullptr;  // of the fiber's wait, or in state::settling
  std::uint32_t index = 0;     // of the arm
  bool outside = true;         // somebody outside this state may complete it
  bool counted = false;        // of the first arm: the wait is a source of its worker
};

/// The arm of a C++ operation that leaves one record and throws nothing.
template <class Op>
struct shared_arm_of final : shared_arm {
  shared_arm_of(Op&& op, core::worker* at) : shared_arm{&table, at}, arm(std::move(op)) {}

  static shared_arm_of& of(shared_arm& a) noexcept { return static_cast<shared_arm_of&>(a); }
  static bool attempt(shared_arm& a, performer& p) noexcept { return of(a).arm.attempt(p); }
  static core::pass publish(shared_arm& a, performer& p) noexcept {
    return of(a).arm.publish(p, a.index);
  }
  static void retract(shared_arm& a, performer& p, bool won) noexcept {
    of(a).arm.retract(p);
    if (!won) of(a).arm.lose(p);
  }
  static void destroy(shared_arm* a) noexcept { delete &of(*a); }
  static constexpr shared_arm_kind table = {attempt, publish, retract, destroy};

  typename Op::arm arm;
  typename Op::result_type result{};  // while it is pushed
};

/// Null for want of memory.
template <class Op>
shared_arm_of<Op>* make_shared_arm(Op op, state& s) noexcept {
  try {
    return new shared_arm_of<Op>(std::move(op), s.worker);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

/// Adds an arm to the wait that f is about to begin.
void add_shared_arm(state& s, fiber& f, shared_arm& a, std::uint32_t index) noexcept;
/// Begins it.
inline void begin_shared(fiber& f) noexcept {
  f.begin_mixed();
  f.deaf = false;
}
/// While a block function runs, which may perform what does not wait: the fiber is plain.
shared_arm* put_shared_aside(state& s, fiber& f) noexcept;
void put_shared_back(state& s, fiber& f, shared_arm& first) noexcept;
/// f has suspended with shared arms: publishes them, or makes it ready if one is done at once.
void publish_shared(state& s, fiber& f) noexcept;
/// Takes all of them back; f is plain again.
void retract_shared(state& s, fiber& f) noexcept;
/// The state is being closed, and f will not run again: nobody else holds anything of it any more.
void abandon(state& s, fiber& f) noexcept;

/// An arm that is done, kept until its result is pushed.
void keep(state& s, shared_arm& a) noexcept;
void destroy_kept(state& s, shared_arm& a) noexcept;
/// The kept arm that has ended the wait of f.
shared_arm& kept_arm(const fiber& f) noexcept;
/// Those whose result was never asked for.
void destroy_kept(state& s) noexcept;

/// state::shared_kind's.
void wake_shared_fiber(core::task& t) noexcept;

}  // namespace weft::inline v0::lua
