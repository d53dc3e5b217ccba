// SPDX-License-Identifier: MIT
// kqueue on epoll. It has the trait of emulations that the backend has to get right: an event stays
// when its descriptor is closed, and the next descriptor with that number gets none until EV_DELETE
// has come. A process is a pidfd, and one that has exited is unknown, as macOS says; a signal and a
// user event are eventfds. A user event may be triggered by a signal handler, as with a system
// call.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>

#include "fake_signals.hpp"

namespace {

/// What is registered for a descriptor: by filter, read and write.
struct knote {
  std::array<bool, 2> on = {};
  std::array<void*, 2> udata = {};
};
/// Of anything else: what epoll watches in its place.
struct special {
  int fd;
  void* udata;
};
/// What epoll tells of: a descriptor has filter 0.
struct key {
  short filter;
  std::uint32_t ident;

  explicit key(std::uint64_t packed)
      : filter(static_cast<short>(packed >> 32)), ident(static_cast<std::uint32_t>(packed)) {}
  key(short f, std::uintptr_t i) : filter(f), ident(static_cast<std::uint32_t>(i)) {}
  std::uint64_t packed() const {
    return std::uint64_t{static_cast<unsigned short>(filter)} << 32 | ident;
  }
};
struct queue_state {
  std::map<int, knote> notes;
  std::map<std::uint64_t, special> specials;
};

// Never destroyed: threads and handlers may outlive main().
std::mutex& mutex = *new std::mutex;
std::map<int, queue_state>& queues = *new std::map<int, queue_state>;
/// By queue: the eventfd of its user event, or 0.
std::array<std::atomic<int>, 4096> user_events{};

std::size_t index_of(short filter) { return filter == EVFILT_READ ? 0 : 1; }

int fail(int error) {
  errno = error;
  return -1;
}

int watch(int queue, int fd, std::uint32_t events, key k) {
  epoll_event e = {};
  e.events = events;
  e.data.u64 = k.packed();
  return epoll_ctl(queue, EPOLL_CTL_ADD, fd, &e);
}

int apply_file(int queue, std::map<int, knote>& all, const struct kevent& change) {
  const int fd = static_cast<int>(change.ident);
  const auto found = all.find(fd);
  const std::size_t i = index_of(change.filter);
  if (change.flags & EV_DELETE) {
    if (found == all.end() || !found->second.on[i]) return fail(ENOENT);
    found->second.on[i] = false;
    if (found->second.on[1 - i]) return 0;
    all.erase(found);
    epoll_ctl(queue, EPOLL_CTL_DEL, fd, nullptr);
    return 0;
  }
  constexpr std::uint32_t both = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  if (found == all.end() && watch(queue, fd, both, {0, change.ident}) != 0)
    return fail(errno == EPERM ? EINVAL : errno);
  all[fd].on[i] = true;
  all[fd].udata[i] = change.udata;
  return 0;
}

/// A descriptor of the process, if it runs.
int open_process(pid_t process) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  pollfd exited = {fd, POLLIN, 0};
  if (fd < 0 || poll(&exited, 1, 0) == 0) return fd;
  close(fd);
  return fail(ESRCH);
}

int open_special(const struct kevent& change) {
  if (change.filter == EVFILT_PROC) return open_process(static_cast<pid_t>(change.ident));
  return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void forget_special(int queue, key k, const special& s) {
  if (k.filter == EVFILT_SIGNAL) fake::stop_recording(static_cast<int>(k.ident), s.fd);
  if (k.filter == EVFILT_USER) user_events[static_cast<std::size_t>(queue)] = 0;
  epoll_ctl(queue, EPOLL_CTL_DEL, s.fd, nullptr);
  close(s.fd);
}

int apply_special(int queue, std::map<std::uint64_t, special>& all, const struct kevent& change) {
  const key k(change.filter, change.ident);
  const auto found = all.find(k.packed());
  if (change.flags & EV_DELETE) {
    if (found == all.end()) return fail(ENOENT);
    forget_special(queue, k, found->second);
    all.erase(found);
    return 0;
  }
  if (found != all.end()) {
    found->second.udata = change.udata;
    return 0;
  }
  const special s = {open_special(change), change.udata};
  if (s.fd < 0) return -1;
  if (watch(queue, s.fd, EPOLLIN, k) != 0) {
    close(s.fd);
    return -1;
  }
  if (k.filter == EVFILT_SIGNAL) fake::record(static_cast<int>(k.ident), s.fd);
  if (k.filter == EVFILT_USER) user_events[static_cast<std::size_t>(queue)] = s.fd;
  all.emplace(k.packed(), s);
  return 0;
}

int trigger(int queue) {
  const int fd = user_events[static_cast<std::size_t>(queue)];
  const std::uint64_t one = 1;
  return fd > 0 && write(fd, &one, sizeof one) > 0 ? 0 : fail(ENOENT);
}

int apply(int queue, const struct kevent& change) {
  if (change.filter == EVFILT_USER && (change.fflags & NOTE_TRIGGER)) return trigger(queue);
  const std::lock_guard lock(mutex);
  queue_state& all = queues[queue];
  if (change.filter == EVFILT_READ || change.filter == EVFILT_WRITE)
    return apply_file(queue, all.notes, change);
  return apply_special(queue, all.specials, change);
}

struct kevent make_event(int fd, unsigned seen, const knote& note, std::size_t i) {
  const short filters[] = {EVFILT_READ, EVFILT_WRITE};
  struct kevent e = {};
  e.ident = static_cast<std::uintptr_t>(fd);
  e.filter = filters[i];
  e.udata = note.udata[i];
  const unsigned ends = i == 0 ? EPOLLRDHUP | EPOLLHUP | EPOLLERR : EPOLLHUP | EPOLLERR;
  if (seen & ends) e.flags |= EV_EOF;
  if (seen & EPOLLERR) {
    int error = 0;
    socklen_t size = sizeof error;
    // Not to take the error away from the socket, only to say that there is one.
    e.fflags = getsockopt(fd, SOL_SOCKET, SO_TYPE, &error, &size) == 0 ? ECONNRESET : 0;
  }
  return e;
}

int fetch_file(queue_state& all, key k, unsigned seen, struct kevent* events) {
  const int fd = static_cast<int>(k.ident);
  const auto note = all.notes.find(fd);
  if (note == all.notes.end()) return 0;
  const unsigned wanted[] = {EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
                             EPOLLOUT | EPOLLHUP | EPOLLERR};
  int count = 0;
  for (std::size_t i = 0; i < 2; ++i)
    if (note->second.on[i] && (seen & wanted[i]))
      events[count++] = make_event(fd, seen, note->second, i);
  return count;
}

/// A process is told of once, the others from here on anew.
int fetch_special(int queue, queue_state& all, key k, struct kevent* events) {
  const auto found = all.specials.find(k.packed());
  if (found == all.specials.end()) return 0;
  const special s = found->second;
  struct kevent& e = *events = {};
  e.ident = k.ident;
  e.filter = k.filter;
  e.udata = s.udata;
  if (k.filter == EVFILT_PROC) {
    e.flags = EV_EOF;
    e.fflags = NOTE_EXIT;
    forget_special(queue, k, s);
    all.specials.erase(found);
    return 1;
  }
  std::uint64_t times = 0;
  if (read(s.fd, &times, sizeof times) < 0) return 0;
  e.data = static_cast<std::intptr_t>(times);
  return 1;
}

}  // namespace

int kqueue() {
  const int queue = epoll_create1(0);
  if (queue < 0) return queue;
  const std::lock_guard lock(mutex);
  queues[queue] = {};
  return queue;
}

int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events,
           int room, const timespec* timeout) {
  for (int i = 0; i < change_count; ++i)
    if (apply(queue, changes[i]) != 0) return -1;
  if (room == 0) return 0;
  pollfd ready = {queue, POLLIN, 0};
  if (const int n = ppoll(&ready, 1, timeout, nullptr); n <= 0) return n;
  epoll_event fetched[64];
  const int half = room / 2 < 64 ? room / 2 : 64;
  const std::lock_guard lock(mutex);
  queue_state& all = queues[queue];
  const int n = epoll_wait(queue, fetched, half, 0);
  int count = 0;
  for (int i = 0; i < n; ++i) {
    const key k(fetched[i].data.u64);
    count += k.filter == 0 ? fetch_file(all, k, fetched[i].events, events + count)
                           : fetch_special(queue, all, k, events + count);
  }
  return n < 0 ? n : count;
}
