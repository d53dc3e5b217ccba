// SPDX-License-Identifier: MIT
#include "foreign/node/residents.hpp"

#if WEFT_LIBNODE

#include <pthread.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "foreign/node/embedded.hpp"

namespace weft::node {

namespace {

using clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(2);  // of exit(), for Node and for stdio

struct census {
  std::mutex mutex;  // of what follows
  std::condition_variable changed;
  int threads = 0;  // under a residence
  std::vector<::node::Environment*> environments;
  bool node_runs = false;
  bool leaving = false;
  const pid_t home = ::getpid();
};

/// Never destroyed: threads use it while the process exits.
census& all() {
  static auto& one = *new census;  // lint: ok, never destroyed
  return one;
}

/// What exit() does on a thread of its own, since it may block for good.
struct errand {
  void (*const work)();
  bool done = false;

  static void* run(void* self) {
    auto& e = *static_cast<errand*>(self);
    e.work();
    const std::lock_guard guard(all().mutex);
    e.done = true;
    all().changed.notify_all();
    return nullptr;
  }

  bool done_by(clock::time_point limit) {
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, run, this) != 0) return false;
    ::pthread_detach(thread);
    std::unique_lock guard(all().mutex);
    return all().changed.wait_until(guard, limit, [this] { return done; });
  }
};

void take_down() {
  ::node::TearDownOncePerProcess();
  ::uv_library_shutdown();  // joins the threads of its pool; else its destructor does
}

void flush() { (void)std::fflush(nullptr); }

constinit errand taking_down{take_down}, flushing{flush};

/// False: there may be threads in libnode or libuv.
bool node_has_ended() {
  census& c = all();
  const auto limit = clock::now() + patience;
  std::unique_lock guard(c.mutex);
  c.leaving = true;
  for (::node::Environment* environment : c.environments) ::node::Stop(environment);
  if (!c.changed.wait_until(guard, limit, [&] { return c.threads == 0; })) return false;
  if (!std::exchange(c.node_runs, false)) return true;
  guard.unlock();
  return taking_down.done_by(limit);
}

void at_exit(int status, void*) {
  if (::getpid() != all().home) {  // a lock of the census may be held by a thread that is not here
    flush();
    ::_exit(status);
  }
  if (node_has_ended()) return;
  (void)flushing.done_by(clock::now() + patience);
  ::_exit(status);
}

/// libnode and its addons make statics at any time, which exit() destroys before an older handler
/// runs. But first it destroys the thread_locals of the thread that calls it: one that has loaded a
/// runtime then registers the handler once more, and so it is the first to run.
struct last_registration {
  ~last_registration() { watch_exit(); }
};

}  // namespace

void watch_exit() { (void)::on_exit(at_exit, nullptr); }

void node_has_started() noexcept {
  const std::lock_guard guard(all().mutex);
  all().node_runs = true;
}

residence::residence() : refusal_(nullptr) {
  census& c = all();
  if (::getpid() != c.home) {
    refusal_ = "node was started before the fork: start it after one";
    return;
  }
  thread_local const last_registration at_my_exit;
  const std::lock_guard guard(c.mutex);
  if (c.leaving)
    refusal_ = "the process is exiting";
  else
    c.threads++;
}

residence::~residence() {
  if (refusal_) return;
  const std::lock_guard guard(all().mutex);
  all().threads--;
  all().changed.notify_all();
}

resident::resident(::node::Environment* environment) : environment_(environment) {
  watch_exit();
  census& c = all();
  const std::lock_guard guard(c.mutex);
  c.environments.push_back(environment);
  if (c.leaving) ::node::Stop(environment);
}

resident::~resident() {
  census& c = all();
  const std::lock_guard guard(c.mutex);
  std::erase(c.environments, environment_);
}

}  // namespace weft::node

#endif
