// SPDX-License-Identifier: MIT
// kqueue on epoll. It has the trait of emulations that the backend has to get right: an event stays
// when its descriptor is closed, and the next descriptor with that number gets none until EV_DELETE
// has come.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>

namespace {

/// What is registered for a descriptor: by filter, read and write.
struct knote {
  std::array<bool, 2> on = {};
  std::array<void*, 2> udata = {};
};
using notes = std::map<int, knote>;

notes& of(int queue) {
  static std::map<int, notes> all;
  return all[queue];
}

std::size_t index_of(short filter) { return filter == EVFILT_READ ? 0 : 1; }

int fail(int error) {
  errno = error;
  return -1;
}

int apply(int queue, const struct kevent& change) {
  const int fd = static_cast<int>(change.ident);
  notes& all = of(queue);
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
  if (found == all.end()) {
    epoll_event e = {};
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    e.data.fd = fd;
    if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &e) != 0) return fail(errno == EPERM ? EINVAL : errno);
  }
  all[fd].on[i] = true;
  all[fd].udata[i] = change.udata;
  return 0;
}

struct kevent make_event(const epoll_event& from, const knote& note, std::size_t i) {
  const short filters[] = {EVFILT_READ, EVFILT_WRITE};
  struct kevent e = {};
  e.ident = static_cast<std::uintptr_t>(from.data.fd);
  e.filter = filters[i];
  e.udata = note.udata[i];
  const unsigned ends = i == 0 ? EPOLLRDHUP | EPOLLHUP | EPOLLERR : EPOLLHUP | EPOLLERR;
  if (from.events & ends) e.flags |= EV_EOF;
  if (from.events & EPOLLERR) {
    int error = 0;
    socklen_t size = sizeof error;
    // Not to take the error away from the socket, only to say that there is one.
    e.fflags = getsockopt(from.data.fd, SOL_SOCKET, SO_TYPE, &error, &size) == 0 ? ECONNRESET : 0;
  }
  return e;
}

}  // namespace

int kqueue() {
  const int queue = epoll_create1(0);
  if (queue >= 0) of(queue).clear();
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
  const int n = epoll_wait(queue, fetched, half, 0);
  int count = 0;
  for (int k = 0; k < n; ++k) {
    const auto note = of(queue).find(fetched[k].data.fd);
    if (note == of(queue).end()) continue;
    const unsigned wanted[] = {EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
                               EPOLLOUT | EPOLLHUP | EPOLLERR};
    for (std::size_t i = 0; i < 2; ++i)
      if (note->second.on[i] && (fetched[k].events & wanted[i]))
        events[count++] = make_event(fetched[k], note->second, i);
  }
  return n < 0 ? n : count;
}
