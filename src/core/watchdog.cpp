// SPDX-License-Identifier: MIT
#include "core/watchdog.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

namespace weft::inline v0::core {

namespace {

void tell_stderr(const task_info& t, std::chrono::nanoseconds busy) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(busy).count();
  std::fprintf(stderr,
               "weft: %s has kept its worker for %lld ms; what blocks belongs in spawn_blocking\n",
               t.text().c_str(), static_cast<long long>(ms));
}

}  // namespace

watchdog::watchdog(const std::vector<std::unique_ptr<worker>>& workers,
                   std::chrono::nanoseconds limit, report tell)
    : limit_(std::max<nanoseconds>(limit.count(), 1'000'000)),
      tell_(tell ? std::move(tell) : tell_stderr) {
  for (const auto& w : workers) {
    watched_.push_back(std::make_unique<watched>());
    w->show_at(&watched_.back()->point);
  }
  thread_ = std::thread([this] { run(); });
}

watchdog::~watchdog() {
  {
    const std::lock_guard held(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void watchdog::run() {
  std::unique_lock held(mutex_);
  const std::chrono::nanoseconds interval(limit_ / 2);
  while (!changed_.wait_for(held, interval, [this] { return ending_; }))
    for (const auto& w : watched_) look(*w);
}

void watchdog::look(watched& w) {
  const nanoseconds now = clock_now();
  std::optional<coroutine_report> found;
  w.point.lock.lock();
  if (w.point.runs != w.runs || !w.point.running) {
    w.runs = w.point.runs;
    w.first = now;
    w.told = false;
  } else if (!w.told && now - w.first >= limit_) {
    found = report_of(*w.point.running);
    w.told = true;
  }
  w.point.lock.unlock();
  if (found) tell_(task_info(*found), std::chrono::nanoseconds(now - w.first));
}

}  // namespace weft::inline v0::core
