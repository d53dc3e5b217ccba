// SPDX-License-Identifier: MIT
// As much of kqueue as src/reactor/kqueue.cpp uses, for machines without it: the names and layout
// of the BSDs' manual page, and an implementation on epoll (fake_kqueue.cpp) that runs the backend
// in the tests.
#pragma once

#include <cstdint>
#include <ctime>

struct kevent {
  std::uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned fflags;
  std::intptr_t data;
  void* udata;
};

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_PROC (-5)
#define EVFILT_SIGNAL (-6)
#define EVFILT_USER (-11)
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR 0x0020
#define EV_EOF 0x8000
#define EV_ERROR 0x4000
#define NOTE_EXIT 0x80000000U
#define NOTE_TRIGGER 0x01000000U
#define EV_SET(e, ident_, filter_, flags_, fflags_, data_, udata_) \
  (*(e) = {(ident_), (filter_), (flags_), (fflags_), (data_), (udata_)})

int kqueue();
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events,
           int room, const timespec* timeout);
