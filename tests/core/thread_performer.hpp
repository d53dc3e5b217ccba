// SPDX-License-Identifier: MIT
// A thread that performs choices over shared channels, as weft.pml's Fiber does step by step:
//
//   try -> begin -> publish -> suspend -> (wake-up) -> retract -> retire
//
// and the parties that complete it alone: a source (a timer, an event), a canceller.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "weft/core/channel.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"

namespace weft_test {

using message = std::uint32_t;  // 0: none

/// A shared channel of messages. The buffer is the movers', touched under the channel's lock.
struct message_channel {
  explicit message_channel(std::size_t capacity) noexcept : channel(capacity) {}
  weft::core::channel<weft::core::tiny_lock> channel;
  std::deque<message> buffer;
};

enum class arm_kind : std::uint8_t { put, get, event };

struct arm {
  arm_kind kind;
  message_channel* on;  // null for an event
};

struct outcome {
  std::uint32_t arm;
  bool closed;
  message received;
  bool cancelled() const noexcept { return arm == weft::core::winner_cancelled; }
};

class thread_performer : public weft::core::task {
 public:
  static constexpr std::size_t most_arms = 8;
  enum class phase : std::uint8_t { running, parked, done };

  thread_performer() noexcept : task(kind_table) {}

  /// One choice. `offer` is what its puts put.
  outcome perform(const std::vector<arm>& arms, message offer, weft::core::random_source& random,
                  bool try_first = true);

  // ---- other threads ----

  /// The request is sticky: all performs to come are cancelled as well, until forget_cancel().
  void cancel() noexcept;
  /// Takes the token of an event arm that is published, if there is one: for fire().
  std::uint64_t take_token() noexcept { return token_.exchange(0); }
  bool has_token() const noexcept { return token_.load() != 0; }
  /// Completes that arm of that perform, if it still waits; maybe it is long over.
  void fire(std::uint64_t token) noexcept;

  phase now() const noexcept { return phase_.load(); }
  std::uint64_t parks() const noexcept { return parks_.load(); }
  bool wake_up_pending() const noexcept { return wakes_.load() != 0; }
  bool cancel_requested() const noexcept { return cancel_.load(); }

  // ---- its own thread, or while that does not run ----

  void forget_cancel() noexcept { cancel_.store(false); }
  void set_phase(phase p) noexcept { phase_.store(p); }
  /// What it performs, or performed last.
  const std::vector<arm>& arms() const noexcept { return *arms_; }

 private:
  struct mover {
    thread_performer& me;
    std::deque<message>& buffer;

    static thread_performer& owner(weft::core::wait_record& r) noexcept {
      return static_cast<thread_performer&>(*r.owner);
    }
    void give(weft::core::wait_record& r) const noexcept { owner(r).received_ = me.offer_; }
    void take(weft::core::wait_record& r) const noexcept { me.received_ = owner(r).offer_; }
    void store() const { buffer.push_back(me.offer_); }
    void load() const noexcept {
      me.received_ = buffer.front();
      buffer.pop_front();
    }
    void refill(weft::core::wait_record& r) const { buffer.push_back(owner(r).offer_); }
    static void wake(task& t) noexcept { t.kind->wake(t); }
  };

  weft::core::pass try_arm(const arm& a);
  weft::core::pass publish_arm(const arm& a, weft::core::wait_record& r);
  bool begin_and_publish();
  void suspend();
  void retract();

  static void on_wake(task& t) noexcept;
  static const weft::core::task_kind kind_table;

  const std::vector<arm>* arms_ = nullptr;
  message offer_ = 0;
  message received_ = 0;
  std::array<weft::core::wait_record, most_arms> records_;
  std::size_t published_ = 0;
  weft::core::atomic<std::uint64_t> token_{0};  // generation and arm of a published event
  weft::core::atomic<bool> cancel_{false};
  weft::core::atomic<int> wakes_{0};
  weft::core::atomic<phase> phase_{phase::running};
  weft::core::atomic<std::uint64_t> parks_{0};
};

inline const weft::core::task_kind thread_performer::kind_table = {"thread", nullptr, on_wake};

inline void thread_performer::on_wake(task& t) noexcept {
  auto& self = static_cast<thread_performer&>(t);
  if (self.wakes_.fetch_add(1) != 0) ADD_FAILURE() << "two wake-ups of one perform";
  self.wakes_.notify_one();
}

inline weft::core::pass thread_performer::try_arm(const arm& a) {
  if (a.kind == arm_kind::event) return weft::core::pass::wait;
  const mover m{*this, a.on->buffer};
  return a.kind == arm_kind::put ? a.on->channel.try_put(m) : a.on->channel.try_get(m);
}

inline weft::core::pass thread_performer::publish_arm(const arm& a, weft::core::wait_record& r) {
  if (a.kind == arm_kind::event) {
    token_.store(generation() << 8 | r.arm);
    return weft::core::pass::wait;
  }
  const mover m{*this, a.on->buffer};
  return a.kind == arm_kind::put ? a.on->channel.publish_put(r, m)
                                 : a.on->channel.publish_get(r, m);
}

/// True: completed by its own hand, so no wake-up comes.
inline bool thread_performer::begin_and_publish() {
  using weft::core::pass;
  published_ = 0;
  begin_shared();
  if (cancel_.load(std::memory_order_seq_cst))
    return complete(generation(), weft::core::winner_cancelled);
  for (const arm& a : *arms_) {
    // Decided: an economy. Never at C, which may be taken back.
    if ((word.load(std::memory_order_relaxed) & state_mask) == synced) return false;
    weft::core::wait_record& r = records_[published_];
    r.owner = this;
    r.arm = static_cast<std::uint32_t>(published_++);
    const pass p = publish_arm(a, r);
    if (p == pass::done || p == pass::closed) return true;
    if (p == pass::decided) return false;
  }
  return false;
}

inline void thread_performer::suspend() {
  parks_.fetch_add(1);
  phase_.store(phase::parked);
  wakes_.wait(0);
  phase_.store(phase::running);
  if (wakes_.exchange(0) != 1) ADD_FAILURE() << "not one wake-up";
}

inline void thread_performer::retract() {
  for (std::size_t i = 0; i < published_; ++i) {
    if ((*arms_)[i].kind == arm_kind::event)
      token_.store(0);
    else
      (*arms_)[i].on->channel.retract(records_[i]);
    if (records_[i].linked()) ADD_FAILURE() << "a record is left";
  }
}

inline outcome thread_performer::perform(const std::vector<arm>& arms, message offer,
                                         weft::core::random_source& random, bool try_first) {
  using weft::core::pass;
  arms_ = &arms;
  offer_ = offer;
  received_ = 0;
  const auto n = static_cast<std::uint32_t>(arms.size());
  for (std::uint32_t i = random.below(n), left = try_first ? n : 0; left; --left, i = (i + 1) % n) {
    const pass p = try_arm(arms[i]);
    if (p != pass::wait) return {i, p == pass::closed, received_};
  }
  if (wakes_.load() != 0) ADD_FAILURE() << "a stale wake-up";
  if (!begin_and_publish()) suspend();
  retract();
  if ((word.load() & state_mask) != synced) ADD_FAILURE() << "went on undecided";
  if (winner != weft::core::winner_cancelled && winner >= published_)
    ADD_FAILURE() << "won by arm " << winner << " of " << published_;
  return {winner, closed, received_};
}

inline void thread_performer::cancel() noexcept {
  cancel_.store(true, std::memory_order_seq_cst);
  for (;;) {
    const std::uint64_t w = word.load(std::memory_order_seq_cst);
    if ((w & state_mask) == synced) return;  // the next begin sees the request
    if (complete(w / generation_step, weft::core::winner_cancelled)) return kind->wake(*this);
  }
}

inline void thread_performer::fire(std::uint64_t token) noexcept {
  if (complete(token >> 8, static_cast<std::uint32_t>(token & 0xFF))) kind->wake(*this);
}

}  // namespace weft_test
