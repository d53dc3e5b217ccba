// SPDX-License-Identifier: MIT
// The signals that somebody has subscribed to, for the whole process. The handler is installed for
// a signal's first subscriber, and what was before it comes back after the last, unless somebody
// has put another in its place meanwhile.
//
// A handler may run on any thread, while others subscribe. It takes no lock: it counts itself in,
// walks the list of ears, and counts itself out. An ear that leaves is taken out of the list and
// then waits until no handler is at work, so none touches it later (both sides seq_cst).
//
// In the child of a fork nobody has subscribed, and the dispositions are as before.
#pragma once

#include <array>
#include <cstdint>

#include "weft/core/reactor.hpp"

namespace weft::inline v0::reactor {

/// Signals by number, from 1 on: for any thread and handler.
class signal_set {
 public:
  static constexpr int most = 128;

  void add(int signal) noexcept { word(signal).fetch_or(bit(signal)); }
  void remove(int signal) noexcept { word(signal).fetch_and(~bit(signal)); }
  bool has(int signal) noexcept { return (word(signal).load() & bit(signal)) != 0; }
  /// Moves all of them to another set, which one thread alone knows of.
  void move_to(signal_set& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) other.words_[i] = words_[i].exchange(0);
  }

 private:
  static std::uint64_t bit(int signal) noexcept { return std::uint64_t{1} << (signal - 1) % 64; }
  core::atomic<std::uint64_t>& word(int signal) noexcept {
    return words_[static_cast<std::size_t>(signal - 1) / 64];
  }
  std::array<core::atomic<std::uint64_t>, most / 64> words_{};
};

/// One more subscriber of a signal in this process, which from now on does nothing else: 0, or
/// -EINVAL for what is no signal, or one that nobody can wait for.
int catch_signal(int signal) noexcept;
/// One less.
void release_signal(int signal) noexcept;

/// What hears of signals: a part of a reactor. Only hear() is for other threads.
class signal_ear {
 public:
  explicit signal_ear(core::reactor& r) noexcept : reactor_(r) {}
  signal_ear(const signal_ear&) = delete;
  signal_ear& operator=(const signal_ear&) = delete;
  ~signal_ear();

  /// From now on a signal is kept here, and the reactor's wake() called. As catch_signal();
  /// counted.
  int subscribe(int signal) noexcept;
  void unsubscribe(int signal) noexcept;
  /// What has come since the last call.
  void take(signal_set& heard) noexcept { heard_.move_to(heard); }

 private:
  friend struct ear_list;
  void hear(int signal) noexcept;
  void drop(int signal) noexcept;

  core::reactor& reactor_;
  core::atomic<signal_ear*> next_{nullptr};
  signal_set wanted_;
  signal_set heard_;
  std::array<unsigned, signal_set::most + 1> subscribers_{};  // by signal
  unsigned total_ = 0;
};

}  // namespace weft::inline v0::reactor
