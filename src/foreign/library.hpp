// SPDX-License-Identifier: MIT
// Loading a foreign library and starting a runtime of it.
#pragma once

#include <cstddef>

#include "foreign/queue.hpp"

namespace weft::inline v0::foreign {

struct load_options {
  const char* config = nullptr;
  std::size_t max_queue = 65536;
  bool is_global = false;  // its symbols are for all that is loaded later
};

struct loaded {
  queue* tasks = nullptr;      // null: it has failed, and what follows says why
  const char* code = nullptr;  // "ENOEXEC", "no init", "init failed", "ENOMEM"
  char* message = nullptr;     // malloc'ed, the caller's; null: not enough memory even for that
  int status = 0;              // what init has returned
};

/// Opens the shared object `file` as dlopen does, makes a queue and calls its init function (see
/// weft/foreign.h), on this thread. A library stays mapped once its init has been called. May be
/// called on any thread, by several at once.
WEFT_API loaded load(const char* file, const load_options& options) noexcept;

/// The same name at an address that stays for good (request::method). Null: not enough memory, or
/// they are more than a MiB in all: a program makes up names.
WEFT_API const char* lasting_name(const char* name) noexcept;

}  // namespace weft::inline v0::foreign
