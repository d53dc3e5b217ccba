// SPDX-License-Identifier: MIT
#include "foreign/node/runtime.hpp"

#include <pthread.h>

#include <ctime>

namespace weft::node {

namespace {

constexpr int batch = 64;
constexpr std::int64_t for_ever = -1;
constexpr std::int64_t sweep_period = 20'000'000;  // nanoseconds, while calls are under way
constexpr std::int64_t hold_period = 1'000'000;    // while a stream waits for its reader
constexpr std::size_t largest_request = 1U << 30;  // a frame's length has 32 bits
constexpr std::int64_t few_parts = 32;             // unread: the stream may go on

std::int64_t time_left(std::int64_t deadline) noexcept {
  if (deadline == INT64_MAX) return for_ever;
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t left = deadline - (now.tv_sec * 1'000'000'000 + now.tv_nsec);
  return left > 0 ? left : 0;
}

}  // namespace

std::string runtime::start() {
  stop_reading();
  std::string error = child_.start(command_);
  if (!error.empty()) return error;
  start_error_.clear();
  state_ = state::starting;  // nobody else is there yet
  reading_ = ::pthread_create(&reader_, nullptr, read_all, this) == 0;
  if (!reading_) {
    state_ = state::gone;
    child_.hang_up();
    (void)child_.ending();
    return "no thread for node";
  }
  frame_writer hello;
  hello.begin(kind::start, nullptr);
  hello.put_text(settings_);
  hello.finish();
  child_.write(hello.bytes().data(), hello.bytes().size());
  std::unique_lock guard(mutex_);
  started_.wait(guard, [this] { return state_ != state::starting; });
  guard.unlock();
  if (!start_error_.empty()) {
    child_.hang_up();
    stop_reading();
  }
  return start_error_;
}

void runtime::serve() {
  weft_task* tasks[batch];
  for (int count = 0; count >= 0;) {
    count = host_->poll_many(queue_, tasks, batch, patience());
    if (count > 0) send_calls(tasks, count);
    sweep();
    child_.write(outgoing_.bytes().data(), outgoing_.bytes().size());
    outgoing_.clear();
  }
  // What is under way may still be cancelled.
  outgoing_.begin(kind::end, nullptr);
  outgoing_.finish();
  for (bool busy = true; busy;) {
    sweep();
    child_.write(outgoing_.bytes().data(), outgoing_.bytes().size());
    outgoing_.clear();
    std::unique_lock guard(mutex_);
    const auto period = std::chrono::nanoseconds(flights_.empty() ? sweep_period : hold_period);
    busy = !started_.wait_for(guard, period, [this] { return state_ == state::gone; });
  }
  stop_reading();
}

std::int64_t runtime::patience() {
  const std::lock_guard guard(mutex_);
  if (flights_.empty()) return for_ever;
  for (const auto& [task, f] : flights_)
    if (f.held) return hold_period;
  return sweep_period;
}

void runtime::send_calls(weft_task* const* tasks, int count) {
  if (!revive(tasks, count)) return;
  for (int i = 0; i < count; i++) {
    std::size_t size = 0;
    host_->request(tasks[i], &size);
    if (size <= largest_request)
      put_call(tasks[i]);
    else
      refuse(tasks[i], "the request is larger than the 1 GiB that node is sent");
  }
}

void runtime::refuse(weft_task* task, std::string_view why) {
  {
    const std::lock_guard guard(mutex_);
    if (flights_.erase(task) == 0) return;  // the child has ended meanwhile
  }
  fail(task, why);
}

/// False: there is no child, and the tasks have been told so.
bool runtime::revive(weft_task* const* tasks, int count) {
  std::unique_lock guard(mutex_);
  if (state_ == state::gone) {
    guard.unlock();
    const std::string error = start();
    if (!error.empty()) {
      for (int i = 0; i < count; i++) fail(tasks[i], error);
      return false;
    }
    guard.lock();
  }
  // Before they are sent: if the child ends from now on, the reader fails them.
  for (int i = 0; i < count; i++) flights_.try_emplace(tasks[i]);
  return true;
}

void runtime::put_call(weft_task* task) {
  std::size_t size = 0;
  const char* request = host_->request(task, &size);
  const std::string_view name = host_->method(task);
  outgoing_.begin(kind::call, task);
  outgoing_.put(time_left(host_->deadline(task)));
  outgoing_.put(static_cast<std::uint8_t>(request != nullptr));
  outgoing_.put(static_cast<std::uint32_t>(name.size()));
  outgoing_.put_text(name);
  if (request) outgoing_.put_text({request, size});
  outgoing_.finish();
}

/// Tells the child which callers have left, and which streams may go on.
void runtime::sweep() {
  const std::lock_guard guard(mutex_);
  for (auto& [task, f] : flights_) {
    if (!f.cancelled && host_->task_cancelled(task)) {
      f.cancelled = true;
      outgoing_.begin(kind::cancel, task);
      outgoing_.finish();
    }
    if (f.held && host_->unread_parts(task) < few_parts) {
      f.held = false;
      outgoing_.begin(kind::more, task);
      outgoing_.finish();
    }
  }
}

void* runtime::read_all(void* self) {
  static_cast<runtime*>(self)->read_frames();
  return nullptr;
}

void runtime::read_frames() {
  std::string buffer(65536, '\0');
  std::size_t filled = 0;
  for (;;) {
    if (filled == buffer.size()) buffer.resize(2 * buffer.size());
    const std::size_t got = child_.read(buffer.data() + filled, buffer.size() - filled);
    if (got == 0) break;
    filled += got;
    std::string_view rest(buffer.data(), filled);
    frame f;
    while (take_frame(rest, f)) receive(f);
    std::memmove(buffer.data(), rest.data(), rest.size());
    filled = rest.size();
  }
  fail_all(child_.ending());
}

void runtime::receive(frame f) {
  if (f.what == kind::part) {
    auto* copy = static_cast<char*>(host_->allocate(f.body.size() + 1));
    if (!copy) return;
    std::memcpy(copy, f.body.data(), f.body.size());
    copy[f.body.size()] = 0;
    if (host_->respond_part(f.task, copy, f.body.size()) != 0) host_->release(copy);
    return;
  }
  std::unique_lock guard(mutex_);
  if (f.what == kind::started) {
    state_ = state::running;
    start_error_ = f.body;
    started_.notify_one();
  } else if (f.what == kind::hold) {
    const auto found = flights_.find(f.task);
    if (found != flights_.end()) found->second.held = true;
  } else if (f.what == kind::answer && flights_.erase(f.task) > 0) {
    guard.unlock();
    const auto status = f.take<std::int32_t>();
    if (f.take<std::uint8_t>())
      host_->respond_copy(f.task, status, f.body.data(), f.body.size());
    else
      host_->respond(f.task, status, nullptr, 0);
  }
}

void runtime::fail_all(const std::string& why) {
  std::unordered_map<weft_task*, flight> lost;
  {
    const std::lock_guard guard(mutex_);
    if (state_ == state::starting) start_error_ = why;
    state_ = state::gone;
    lost.swap(flights_);
    started_.notify_one();
  }
  for (const auto& [task, f] : lost) fail(task, why);
}

void runtime::fail(weft_task* task, std::string_view why) noexcept {
  host_->respond_copy(task, 1, why.data(), why.size());
}

void runtime::stop_reading() {
  if (!reading_) return;
  ::pthread_join(reader_, nullptr);
  reading_ = false;
}

}  // namespace weft::node
