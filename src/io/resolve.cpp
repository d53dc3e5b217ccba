// SPDX-License-Identifier: MIT
// Tests: tests/io/resolve_test.cpp.
#include "io/resolve.hpp"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>

#include "core/errors.hpp"

namespace weft::inline v0::io {

/// The queue of lookups and the number of threads that serve it. Of the process, as getaddrinfo's
/// own state is; it holds nothing that a runtime would miss, and is never destroyed, so that a
/// thread which outlives main() finds it.
class resolver {
 public:
  /// False: there is no thread, and none could be started; l is not queued.
  static bool enqueue(lookup& l) noexcept;

 private:
  static void* serve(void*) noexcept;
  static lookup* take() noexcept;
  static bool start_thread() noexcept;
  static void watch_forks() noexcept;

  static constinit inline std::mutex mutex_;
  static constinit inline lookup* first_ = nullptr;
  static constinit inline lookup* last_ = nullptr;
  static constinit inline int threads_ = 0;
};

// The child has none of the threads, and must not inherit a mutex that one of them held.
void resolver::watch_forks() noexcept {
  ::pthread_atfork([] { mutex_.lock(); }, [] { mutex_.unlock(); },
                   [] {
                     threads_ = 0;
                     first_ = last_ = nullptr;
                     mutex_.unlock();
                   });
}

bool resolver::enqueue(lookup& l) noexcept {
  static std::once_flag forks;
  std::call_once(forks, watch_forks);
  const std::lock_guard held(mutex_);
  if (threads_ < resolver_threads && start_thread()) ++threads_;
  if (threads_ == 0) return false;
  (last_ ? last_->behind_ : first_) = &l;
  last_ = &l;
  return true;
}

/// A detached thread that takes no signals: they are for the threads of the program.
bool resolver::start_thread() noexcept {
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return false;
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = ::pthread_create(&thread, &attributes, serve, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  return error == 0;
}

lookup* resolver::take() noexcept {
  const std::lock_guard held(mutex_);
  lookup* l = first_;
  if (!l) {
    --threads_;
    return nullptr;
  }
  first_ = l->behind_;
  if (!first_) last_ = nullptr;
  return l;
}

void* resolver::serve(void*) noexcept {
  while (lookup* l = take()) {
    l->resolve();
    l->finish();  // the last touch
  }
  return nullptr;
}

lookup::lookup(core::worker& home, const char* host) noexcept : core::completion(home) {
  std::strncpy(host_, host, sizeof host_ - 1);
  host_[sizeof host_ - 1] = 0;
}

lookup::~lookup() {
  if (list_) ::freeaddrinfo(list_);
}

lookup* lookup::begin(core::worker& home, const char* host) noexcept {
  auto* l = new (std::nothrow) lookup(home, host);
  if (l && !resolver::enqueue(*l)) {
    l->error_ = -core::error_name_again;
    l->finish();
  }
  return l;
}

void lookup::resolve() noexcept {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  switch (::getaddrinfo(host_, nullptr, &hints, &list_)) {
    case 0: return;
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
      error_ = -core::error_name_unknown;
      return;
    case EAI_AGAIN: error_ = -core::error_name_again; return;
    case EAI_MEMORY: error_ = -ENOMEM; return;
    case EAI_SYSTEM: error_ = errno ? -errno : -core::error_name_failed; return;
    default: error_ = -core::error_name_failed; return;
  }
}

bool lookup::next(const addrinfo*& at, address& to) const noexcept {
  for (at = at ? at->ai_next : list_; at; at = at->ai_next) {
    if (at->ai_addrlen > sizeof to.v6 || (at->ai_family != AF_INET && at->ai_family != AF_INET6))
      continue;
    to = address();
    std::memcpy(&to.any, at->ai_addr, at->ai_addrlen);
    to.size = at->ai_addrlen;
    return true;
  }
  return false;
}

}  // namespace weft::inline v0::io
