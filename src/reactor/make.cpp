// SPDX-License-Identifier: MIT
// Which backend: an option of the program, else WEFT_BACKEND, else the best that the kernel allows.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/errors.hpp"
#include "reactor/backends.hpp"

namespace weft::inline v0::core {

namespace {

struct backend {
  const char* name;
  reactor* (*make)(int* error) noexcept;
};

// Best first.
constexpr backend backends[] = {
#if WEFT_HAS_LIBURING
    {"io_uring", weft::reactor::make_io_uring},
#endif
#if defined(__linux__)
    {"epoll", weft::reactor::make_epoll},
#endif
#if __has_include(<sys/event.h>)
    {"kqueue", weft::reactor::make_kqueue},
#endif
    {"select", weft::reactor::make_select}};

thread_local char message[160];

/// Puts more behind what the message says already, as far as there is room.
template <class... Values>
void say(const char* format, Values... values) noexcept {
  const std::size_t at = std::strlen(message);
  std::snprintf(message + at, sizeof message - at, format, values...);
}

bool works(const backend& b) noexcept {
  int code = 0;
  return std::unique_ptr<reactor>(b.make(&code)) != nullptr;
}

/// Which of them can be had here and now: it tries them.
void say_what_there_is() noexcept {
  const char* before = " (available: ";
  for (const backend& b : backends) {
    if (!works(b)) continue;
    say("%s%s", before, b.name);
    before = ", ";
  }
  say("%s", *before == ',' ? ")" : " (none is available)");
}

const char* unknown(const char* where, const char* name) noexcept {
  message[0] = 0;
  say("%sunknown backend \"%.40s\"", where, name);
  say_what_there_is();
  return message;
}

const char* unavailable(const char* where, const backend& b, int code) noexcept {
  message[0] = 0;
  say("%sbackend \"%s\": %s", where, b.name, describe(code).message);
  say_what_there_is();
  return message;
}

reactor* make(const char* where, const backend& b, const char** error) noexcept {
  int code = 0;
  reactor* r = b.make(&code);
  *error = r ? nullptr : unavailable(where, b, code);
  return r;
}

/// The best that there is. Which were passed over, and why, is kept in it.
reactor* make_best(const char** error) noexcept {
  char passed_over[sizeof reactor::passed_over] = {};
  for (const backend& b : backends) {
    int code = 0;
    if (reactor* r = b.make(&code)) {
      std::memcpy(r->passed_over, passed_over, sizeof passed_over);
      return r;
    }
    const std::size_t at = std::strlen(passed_over);
    std::snprintf(passed_over + at, sizeof passed_over - at, "%s%s: %s", at ? ", " : "", b.name,
                  describe(code).message);
    *error = unavailable("", b, code);
  }
  return nullptr;
}

/// With the word "reactor" in WEFT_DEBUG.
bool tells() noexcept {
  const char* words = ::secure_getenv("WEFT_DEBUG");
  for (const char* at = words; at && *at; at += std::strcspn(at, ",") + 1) {
    const std::size_t n = std::strcspn(at, ",");
    if (n == 7 && std::strncmp(at, "reactor", n) == 0) return true;
    if (!at[n]) break;
  }
  return false;
}

void tell(const reactor& r) noexcept {
  if (!tells()) return;
  const char* features = r.features();
  std::fprintf(stderr, "weft: reactor: %s%s%s%s%s%s\n", r.name(), *features ? ", " : "", features,
               *r.passed_over ? " (passed over: " : "", r.passed_over, *r.passed_over ? ")" : "");
}

reactor* choose(const char* name, const char** error) noexcept {
  const char* where = "";
  if (!name && (name = ::secure_getenv("WEFT_BACKEND"))) where = "WEFT_BACKEND: ";
  if (!name || (!*name && *where)) return make_best(error);
  for (const backend& b : backends)
    if (std::strcmp(b.name, name) == 0) return make(where, b, error);
  *error = unknown(where, name);
  return nullptr;
}

}  // namespace

reactor* make_reactor(const char* name, const char** error) noexcept {
  *error = nullptr;
  reactor* r = choose(name, error);
  if (r) {
    *error = nullptr;
    tell(*r);
  }
  return r;
}

}  // namespace weft::inline v0::core
