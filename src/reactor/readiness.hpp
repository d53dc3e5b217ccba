// SPDX-License-Identifier: MIT
// What the readiness backends share. A descriptor carries a mark for each direction, "a try is
// worth it", which an event sets and whoever sees EAGAIN clears; its waiters and requests hang on
// it. A backend only says which descriptor became ready.
//
// Inside wait() only wake-ups are queued: no code of a user runs, so a descriptor whose event has
// been fetched cannot go away within the batch (detach() asserts it).
//
// Processes and signals. Where a backend has nothing better, a process is a pidfd, or else looked
// at after each SIGCHLD; a signal comes from the handler of signals.hpp, by way of the bell.
//
// After fork() a reactor in the child is inert: what it shares with the parent's (an epoll
// instance, a bell) is left alone, so a child that closes its copies of sockets takes nothing from
// the parent.
#pragma once

#include "reactor/signals.hpp"
#include "weft/core/reactor.hpp"

namespace weft::inline v0::reactor {

class readiness : public core::reactor {
 public:
  ~readiness() override;

  int attach(core::descriptor& d) noexcept final;
  void detach(core::descriptor& d) noexcept final;
  void await(core::descriptor& d, core::direction dir, core::wait_record& r) noexcept final;
  void submit(core::io_request& q) noexcept final;
  void cancel(core::io_request& q) noexcept override;
  int wait(core::nanoseconds timeout) noexcept final;
  void wake() noexcept final;
  bool busy() noexcept final;

 protected:
  readiness() noexcept;
  /// First in the destructor of a backend: from here on no signal's handler rings.
  void release_all() noexcept;

  /// Registers with the kernel: 0 or -errno. Sets is_file for what the kernel does not report.
  virtual int add(core::descriptor& d) noexcept = 0;
  virtual void remove(core::descriptor& d) noexcept = 0;
  /// Begins to watch a process or a signal, and ends it: for a backend that has its own way, and
  /// calls happened(). What has no d.fd then is in watched().
  virtual int watch(core::descriptor& d) noexcept;
  virtual void unwatch(core::descriptor& d) noexcept;
  /// Somebody has begun to wait: for a backend that asks the kernel only then.
  virtual void want(core::descriptor&, core::direction) noexcept {}
  /// A request on a file: ends it at once, unless the backend has a way that does not block.
  virtual void submit_to_file(core::io_request& q) noexcept;
  /// Waits once and reports each event by became_ready() or failed(). Negative: none.
  virtual int collect(core::nanoseconds timeout) noexcept = 0;
  /// Async-signal-safe, but for errno. Not again before the wait that it ends has returned.
  virtual void ring() noexcept = 0;

  /// An event: marks the direction, tries its requests, completes one waiter.
  void became_ready(core::descriptor& d, core::direction dir) noexcept;
  /// Both directions: hang-up or error, which no try waits for.
  void failed(core::descriptor& d) noexcept;

  /// A child has exited, or a signal has come: all that watch it hear of it.
  void happened(core::subject what, int id) noexcept;

  core::list<core::descriptor>& attached() noexcept { return attached_; }
  core::list<core::descriptor>& watched() noexcept { return watched_; }
  /// In the child of a fork.
  bool inherited() const noexcept;

 private:
  int watch_by_signal(core::descriptor& child) noexcept;
  int tell_of_signals() noexcept;

  const unsigned process_;
  core::atomic<bool> rung_{false};
  core::list<core::descriptor> attached_;  // with a descriptor of the kernel's
  core::list<core::descriptor> watched_;   // without
  signal_ear ear_{*this};
  bool collecting_ = false;
  core::descriptor* last_busy_ = nullptr;  // where busy() looks first
};

/// Whether somebody waits on d in that direction.
bool wanted(core::descriptor& d, core::direction dir) noexcept;

/// The list of requests that wait in q's direction.
core::list<core::list_node>& pending(core::descriptor& d, core::direction dir) noexcept;
void end(core::io_request& q, std::int64_t result) noexcept;

/// A timeout that is not forever, for the calls that take one.
timespec to_timespec(core::nanoseconds timeout) noexcept;

}  // namespace weft::inline v0::reactor
