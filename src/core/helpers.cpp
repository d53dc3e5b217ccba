// SPDX-License-Identifier: MIT
// Tests: tests/task/blocking_test.cpp.
#include "weft/core/helpers.hpp"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <list>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

namespace weft::inline v0::core {

helper_job::~helper_job() = default;

namespace {

constexpr std::chrono::seconds idle_time(5);

class helper_pool {
 public:
  void run(std::unique_ptr<helper_job> job);
  void end() noexcept;
  void lock_for_fork() noexcept;
  void unlock() noexcept { mutex_.unlock(); }

 private:
  struct helper {
    std::thread thread;
    bool busy = false;
  };
  using place = std::list<helper>::iterator;

  void grow();
  void serve(place me) noexcept;
  std::unique_ptr<helper_job> await_job(std::unique_lock<std::mutex>& held);
  static void join(std::list<helper>& gone) noexcept {
    for (helper& h : gone) h.thread.join();
  }

  std::mutex mutex_;  // all below
  std::condition_variable changed_;
  std::deque<std::unique_ptr<helper_job>> jobs_;
  std::list<helper> helpers_;
  std::list<helper> gone_;  // have left, to be joined
  std::size_t idle_ = 0;
  bool ending_ = false;
};

void helper_pool::run(std::unique_ptr<helper_job> job) {
  std::list<helper> gone;
  {
    const std::lock_guard held(mutex_);
    gone.swap(gone_);
    jobs_.push_back(std::move(job));
    if (idle_ < jobs_.size() && helpers_.size() < helper_limit && !ending_) grow();
    changed_.notify_one();
  }
  join(gone);
}

/// One more thread. Without it the job waits for another, if there is one.
void helper_pool::grow() {
  const place me = helpers_.emplace(helpers_.end());
  try {
    me->thread = std::thread([this, me] { serve(me); });
  } catch (const std::system_error&) {
    helpers_.erase(me);
    if (!helpers_.empty()) return;
    jobs_.pop_back();
    throw;
  }
}

void helper_pool::serve(place me) noexcept {
  std::unique_lock held(mutex_);
  while (std::unique_ptr<helper_job> job = await_job(held)) {
    me->busy = true;
    held.unlock();
    job->run();
    job.reset();
    held.lock();
    // At the end of the process nobody joins those that were at work.
    if (ending_) return;
    me->busy = false;
  }
  if (!ending_) gone_.splice(gone_.end(), helpers_, me);
}

/// Null: nothing has come for long, or the process ends.
std::unique_ptr<helper_job> helper_pool::await_job(std::unique_lock<std::mutex>& held) {
  const auto due = std::chrono::steady_clock::now() + idle_time;
  ++idle_;
  changed_.wait_until(held, due, [this] { return ending_ || !jobs_.empty(); });
  --idle_;
  if (ending_ || jobs_.empty()) return nullptr;
  std::unique_ptr<helper_job> job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

void helper_pool::end() noexcept {
  std::list<helper> idle;
  {
    const std::lock_guard held(mutex_);
    ending_ = true;
    for (place h = helpers_.begin(); h != helpers_.end();) {
      const place here = h++;
      here->busy ? here->thread.detach() : idle.splice(idle.end(), helpers_, here);
    }
    idle.splice(idle.end(), gone_);
    changed_.notify_all();
  }
  join(idle);
}

/// None is left that the child would have to join. Not joined here: what ends with such a thread
/// might wait for whoever forks.
void helper_pool::lock_for_fork() noexcept {
  mutex_.lock();
  for (helper& h : gone_) h.thread.detach();
  gone_.clear();
}

alignas(helper_pool) std::byte storage[sizeof(helper_pool)];
helper_pool& made() noexcept { return *std::launder(reinterpret_cast<helper_pool*>(storage)); }

/// The child of a fork has none of the threads: it begins with an empty pool. The lock is taken
/// meanwhile, so that what they have done is done before.
helper_pool* make_pool() {
  helper_pool* const pool = ::new (storage) helper_pool;
  ::pthread_atfork([] { made().lock_for_fork(); }, [] { made().unlock(); },
                   [] {
                     made().unlock();
                     ::new (storage) helper_pool;
                   });
  return pool;
}

/// It outlives whatever may still use it while the process ends: helpers at work, and the
/// destructors of static objects.
helper_pool& pool() {
  static helper_pool* const immortal = make_pool();
  struct end_with_process {
    end_with_process() noexcept {}
    ~end_with_process() { immortal->end(); }
  };
  static const end_with_process at_exit;
  return *immortal;
}

}  // namespace

void run_on_helper(std::unique_ptr<helper_job> job) { pool().run(std::move(job)); }

}  // namespace weft::inline v0::core
