// SPDX-License-Identifier: MIT
#include "foreign/library.hpp"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <string_view>

namespace weft::inline v0::foreign {

namespace {

struct closer {
  void operator()(void* handle) const noexcept { ::dlclose(handle); }
};
using handle_pointer = std::unique_ptr<void, closer>;

/// An interpreter opens our module, and libweft.so with it, for the module alone. A library that
/// calls the exported functions by name has to find them.
void promote_ourselves() noexcept {
  static const bool done = [] {
    Dl_info self;
    if (::dladdr(reinterpret_cast<const void*>(&weft_foreign_functions), &self))
      ::dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL | RTLD_NODELETE);
    return true;
  }();
  (void)done;
}

/// glibc gives freed memory back to the system when 128 KiB of it lie at the end of an arena, and
/// long answers then cost a page fault for every 4 KiB. To free one big block raises that limit to
/// twice its size; it is never written to, so it costs nothing.
void keep_freed_memory() noexcept {
  static const bool done = [] {
    void* volatile big = std::malloc(std::size_t{8} << 20);
    std::free(big);
    return true;
  }();
  (void)done;
}

[[gnu::format(printf, 3, 4)]] loaded failure(const char* code, int status, const char* format,
                                             ...) noexcept {
  loaded l;
  l.code = code;
  l.status = status;
  va_list arguments;
  va_start(arguments, format);
  if (::vasprintf(&l.message, format, arguments) < 0) l.message = nullptr;
  va_end(arguments);
  return l;
}

constexpr std::size_t bytes_of_a_name = 64;  // beyond its characters

using old_init_function = int(char* config, void* queue);

/// Whichever init function the library has.
struct init {
  weft_foreign_init_function* ours = nullptr;
  old_init_function* old = nullptr;

  explicit init(void* library) noexcept {
    ours = reinterpret_cast<weft_foreign_init_function*>(::dlsym(library, "weft_foreign_init"));
    for (const char* name : {"libffi_init", "lib_nonblocking_ffi_init"})
      if (!ours && !old) old = reinterpret_cast<old_init_function*>(::dlsym(library, name));
  }
  explicit operator bool() const noexcept { return ours || old; }
  int operator()(queue& q) const noexcept {
    return ours ? ours(weft_foreign_functions(), q.token(), q.config()) : old(q.config(), &q);
  }
};

}  // namespace

loaded load(const char* file, const load_options& options) noexcept {
  promote_ourselves();
  keep_freed_memory();
  const int flags = RTLD_NOW | (options.is_global ? RTLD_GLOBAL : RTLD_LOCAL);
  handle_pointer library(::dlopen(file, flags));
  if (!library) return failure("ENOEXEC", 0, "%s", ::dlerror());
  const init start(library.get());
  if (!start)
    return failure("no init", 0,
                   "%s: has none of weft_foreign_init, libffi_init, lib_nonblocking_ffi_init",
                   file);
  queue* const q = queue::make(options.max_queue, options.config);
  if (!q) return failure("ENOMEM", 0, "%s: not enough memory", file);
  // From here on the library may have threads: it stays, whatever init says.
  ::dlopen(file, flags | RTLD_NOLOAD | RTLD_NODELETE);
  (void)library.release();
  const int status = start(*q);
  const std::unique_ptr<char, decltype(&std::free)> text(q->take_init_error(), &std::free);
  if (status == 0) return {.tasks = q};
  q->finish();
  if (text) return failure("init failed", status, "%s: %s", file, text.get());
  return failure("init failed", status, "%s: init returned %d", file, status);
}

const char* lasting_name(const char* name) noexcept try {
  static std::mutex mutex;
  static auto& names = *new std::set<std::string, std::less<>>();  // lint: ok, never destroyed
  static std::size_t left = std::size_t{1} << 20;
  const std::lock_guard held(mutex);
  if (const auto known = names.find(std::string_view(name)); known != names.end())
    return known->c_str();
  const std::size_t size = std::strlen(name) + bytes_of_a_name;
  if (size > left) return nullptr;
  left -= size;
  return names.emplace(name).first->c_str();
} catch (const std::bad_alloc&) {
  return nullptr;
}

}  // namespace weft::inline v0::foreign
