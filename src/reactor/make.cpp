// SPDX-License-Identifier: MIT
// Which backend: an option of the program, else WEFT_BACKEND, else the best that the kernel allows.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "reactor/backends.hpp"

namespace weft::inline v0::core {

namespace {

struct backend {
  const char* name;
  reactor* (*make)(int* error) noexcept;
};

// Best first.
constexpr backend backends[] = {{"epoll", weft::reactor::make_epoll},
                                {"select", weft::reactor::make_select}};

thread_local char message[160];

/// Puts more behind what the message says already, as far as there is room.
template <class... Values>
void say(const char* format, Values... values) noexcept {
  const std::size_t at = std::strlen(message);
  std::snprintf(message + at, sizeof message - at, format, values...);
}

const char* unknown(const char* where, const char* name) noexcept {
  message[0] = 0;
  say("%sunknown backend \"%.40s\" (available: ", where, name);
  const char* separator = "";
  for (const backend& b : backends) {
    say("%s%s", separator, b.name);
    separator = ", ";
  }
  say("%s", ")");
  return message;
}

const char* unavailable(const backend& b, int code) noexcept {
  message[0] = 0;
  say("backend \"%s\": %s", b.name, std::strerror(code));
  return message;
}

reactor* make(const backend& b, const char** error) noexcept {
  int code = 0;
  reactor* r = b.make(&code);
  *error = r ? nullptr : unavailable(b, code);
  return r;
}

}  // namespace

reactor* make_reactor(const char* name, const char** error) noexcept {
  const char* where = "";
  if (!name && (name = ::secure_getenv("WEFT_BACKEND"))) where = "WEFT_BACKEND: ";
  if (name && (*name || !*where)) {
    for (const backend& b : backends)
      if (std::strcmp(b.name, name) == 0) return make(b, error);
    *error = unknown(where, name);
    return nullptr;
  }
  for (const backend& b : backends)
    if (reactor* r = make(b, error)) return r;
  return nullptr;
}

}  // namespace weft::inline v0::core
