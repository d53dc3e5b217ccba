// SPDX-License-Identifier: MIT
// runtime: one queue, answered by one node child.
//
// Two threads. The sender polls the queue and writes calls, and looks for callers that have gone
// away. The reader takes answers; when the child ends it fails what was under way, and the sender
// starts another child for the next call. The runtime is the sender's; it ends with its queue.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "foreign/node/frames.hpp"
#include "foreign/node/process.hpp"
#include "weft/foreign.h"

namespace weft::node {

class runtime {
 public:
  /// settings: the text of a start frame.
  runtime(const weft_foreign* host, weft_queue* queue, command what, std::string settings) noexcept
      : host_(host), queue_(queue), command_(std::move(what)), settings_(std::move(settings)) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;
  ~runtime() {
    child_.hang_up();
    stop_reading();
  }

  /// Blocks until the user's module is loaded in a child. "", or what went wrong.
  std::string start();
  /// The life of the sender's thread, after start().
  void serve();

 private:
  struct flight {
    bool cancelled = false;  // the child has been told
    bool held = false;       // it waits until its parts are read
  };

  void send_calls(weft_task* const* tasks, int count);
  void put_call(weft_task* task);
  /// Of one that counts as under way.
  void refuse(weft_task* task, std::string_view why);
  void sweep();
  std::int64_t patience();
  bool revive(weft_task* const* tasks, int count);

  static void* read_all(void* self);
  void read_frames();
  void receive(frame f);
  void fail_all(const std::string& why);
  void fail(weft_task* task, std::string_view why) noexcept;
  void stop_reading();

  const weft_foreign* const host_;
  weft_queue* const queue_;
  const command command_;
  const std::string settings_;

  process child_;
  pthread_t reader_{};
  bool reading_ = false;   // reader_ is to be joined; the sender's
  frame_writer outgoing_;  // the sender's

  std::mutex mutex_;  // of what follows
  std::condition_variable started_;
  enum class state : std::uint8_t { starting, running, gone } state_ = state::gone;
  std::string start_error_;
  std::unordered_map<weft_task*, flight> flights_;
};

}  // namespace weft::node
