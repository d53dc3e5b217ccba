// SPDX-License-Identifier: MIT
// Observation: a table of functions that a worker calls when it is set, and counters that are plain
// adds. Both are read on the worker's own thread.
#pragma once

#include <cstdint>

namespace weft::inline v0::core {

struct task;

struct hooks {
  void (*spawn)(void* context, task&) = nullptr;
  void (*park)(void* context, task&) = nullptr;
  void (*wake)(void* context, task&) = nullptr;
  void (*end)(void* context, task&) = nullptr;
  void* context = nullptr;
};

struct counters {
  std::uint64_t runs = 0;    // tasks resumed
  std::uint64_t spawns = 0;  // tasks begun
  std::uint64_t polls = 0;   // calls to the reactor
  std::uint64_t parks = 0;   // of which blocked
  std::uint64_t posts = 0;   // tasks that came through the inbox
};

}  // namespace weft::inline v0::core
