// SPDX-License-Identifier: MIT
// reactor: what a worker asks of the kernel, as the core owns it. Backends are in src/reactor, one
// file each. A reactor belongs to one worker; everything but wake() is called on that worker's
// thread, which may change between two waits while no request on a regular file is in flight.
//
// Two ways to wait, and each backend uses the facility that suits it best:
//   - await(): "tell me when a try on this descriptor is worth it". Streams and listeners read,
//     write and accept in the performer, try first, and await only after EAGAIN. It is an arm of
//     choices: a lost one takes nothing with it.
//   - submit(): a whole kernel operation that ends with a result. The buffer belongs to the kernel
//     until done() has run, also after cancel().
//
// Beside files, what is awaited may be the exit of a child or a signal: subject says which.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/config.hpp"
#include "weft/core/gate.hpp"
#include "weft/core/list.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"

struct sockaddr;

namespace weft::inline v0::core {

enum class direction : std::uint8_t { in = 0, out = 1 };

/// What a descriptor stands for.
enum class subject : std::uint8_t {
  /// A socket, a pipe, a device, a regular file: `fd`, which the owner opens and closes.
  file,
  /// A child of this process: `id` is its pid. Readable for good once it has exited; then waitpid()
  /// does not wait, and is the owner's to call. At once if it has exited already or is gone.
  process,
  /// A signal: `id` is its number. While it is attached, a signal that comes is kept until one
  /// await() has taken it (several that come before that are one), and does nothing else: the
  /// disposition is weft's, and is what it was again after the last detach() in the process. Each
  /// descriptor of a signal, here and in other reactors, hears of it. A blocked signal does not
  /// come. In the child of a fork nothing is attached.
  signal,
};

/// One registered file, process or signal; embedded in whatever owns it. The node is the reactor's
/// list of what is attached.
struct descriptor : list_node {
  int fd = -1;  // of a process or signal: the reactor's own
  int id = 0;   // of a process or signal
  subject what = subject::file;
  bool attached = false;
  bool hung_up = false;             // the peer's end or an error was seen: a read never waits again
  bool is_file = false;             // a try never has to wait: the kernel never reports it
  bool ready[2] = {true, true};     // a try may succeed; cleared by whoever saw EAGAIN
  std::uint32_t slot = 0;           // for the backend
  std::uint16_t woken[2] = {0, 0};  // waiters completed that have not tried yet: nobody passes them
  list<wait_record> waiting[2];     // parked performers, first in first out
  list<list_node> pending[2];       // io_requests of a readiness backend

  bool is_ready(direction d) const noexcept { return ready[static_cast<int>(d)]; }
  void set_ready(direction d, bool yes) noexcept { ready[static_cast<int>(d)] = yes; }
  list<wait_record>& waiters(direction d) noexcept { return waiting[static_cast<int>(d)]; }
};

/// One operation in flight. It and its buffer outlive done(). done() runs exactly once, on home,
/// from wait() or submit(); it only makes tasks runnable.
struct io_request : list_node {
  enum class kind : std::uint8_t { accept, connect, read, write, poll_in, poll_out };

  kind what = kind::poll_in;
  descriptor* on = nullptr;
  void* data = nullptr;     // read, write: the buffer; accept, connect: a sockaddr
  std::size_t size = 0;     // bytes of it
  std::int64_t result = 0;  // bytes, a new descriptor (non-blocking, close-on-exec), or -errno
  void (*done)(io_request&) noexcept = nullptr;
};

class WEFT_API reactor {
 public:
  reactor() = default;
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;
  virtual ~reactor() = default;

  /// "io_uring", "epoll", "select", "kqueue".
  virtual const char* name() const noexcept = 0;
  /// What of the kernel's facilities it uses, for reports: words with spaces between them.
  virtual const char* features() const noexcept { return ""; }

  /// Registers d.fd (non-blocking), or the process or signal d.id, until detach(). 0, or -errno;
  /// -ERANGE above FD_SETSIZE for select; -EINVAL for what is no process and for signals that
  /// nobody can wait for: SIGKILL, SIGSTOP, and faults.
  virtual int attach(descriptor& d) noexcept = 0;
  /// Before close(). Nothing may be waiting or pending on d.
  virtual void detach(descriptor& d) noexcept = 0;

  /// Links r: its owner is completed with r.arm once a try in that direction is worth it (readable,
  /// writable, hang-up or error; a process and a signal have `in` alone). At once, still through
  /// the run queue, if d is marked ready. The owner retracts with r.unlink() when another arm has
  /// won. One event completes one waiter; the winner passes the readiness on when it leaves
  /// something behind (pass_on), or clears the mark.
  virtual void await(descriptor& d, direction dir, wait_record& r) noexcept = 0;

  /// Whether an event sets d's mark although nobody waits. False: the kernel has not been asked
  /// since nobody has waited in that direction yet, and a try has to look for itself.
  virtual bool watches(const descriptor&, direction) const noexcept { return true; }

  /// Starts a request on a file. done() may run before submit() returns.
  virtual void submit(io_request& q) noexcept = 0;
  /// Asks for an early end: done() runs, now or later, with -ECANCELED or with a result after all.
  virtual void cancel(io_request& q) noexcept = 0;

  /// Waits for events, at most until timeout (nanoseconds from now; 0 polls, forever has no limit),
  /// and completes what they decide. Returns how many events there were, 0 on time-out or EINTR.
  virtual int wait(nanoseconds timeout) noexcept = 0;
  /// Waits, outside the gate, until wait(0) may have something to report, at most until timeout.
  /// The default watches watch_fd().
  virtual void block(nanoseconds timeout, gate& outside_of) noexcept;
  /// A descriptor for another loop to watch until the next call of anything here: readable once
  /// wait(0) has something to report. -1: this backend has none.
  virtual int watch_fd() noexcept { return -1; }
  /// Ends a wait() in progress or the next one. Any thread; async-signal-safe; coalesces.
  virtual void wake() noexcept = 0;

  /// True while any record or request waits for the kernel; false: nothing here can ever wake a
  /// task. A signal that is attached but not awaited wakes none.
  virtual bool busy() noexcept = 0;

  /// Why the better backends are not in use here ("io_uring: Operation not permitted"), or empty.
  char passed_over[160] = {};
};

/// Completes the oldest waiter that is still undecided, if the descriptor is marked ready. A winner
/// that leaves something behind (a short accept queue, bytes unread) passes the readiness on so.
WEFT_API void pass_on(descriptor& d, direction dir) noexcept;

/// A reactor for this worker. name: as reactor::name(), or null for WEFT_BACKEND or else the best
/// one. Null with *error set to a message that lists what there is, if there is no such backend.
WEFT_API reactor* make_reactor(const char* name, const char** error) noexcept;

}  // namespace weft::inline v0::core
