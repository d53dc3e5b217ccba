// SPDX-License-Identifier: MIT
#include "lua/file.hpp"

#if __has_include(<stdio_ext.h>)
#include <stdio_ext.h>
#endif

namespace weft::inline v0::lua {

namespace {

// Each C library has its own name for it; the first overload that compiles is taken.
template <class File>
auto ahead(File* f, int) -> decltype(static_cast<std::size_t>(f->_IO_read_end - f->_IO_read_ptr)) {
  return static_cast<std::size_t>(f->_IO_read_end - f->_IO_read_ptr);  // glibc
}
template <class File>
auto ahead(File* f, long) -> decltype(static_cast<std::size_t>(f->_r)) {
  return f->_r > 0 ? static_cast<std::size_t>(f->_r) : 0;  // the BSDs and macOS
}
template <class File>
auto ahead(File* f, long long) -> decltype(__freadahead(f)) {
  return __freadahead(f);  // musl
}
template <class File>
std::size_t ahead(File*, ...) {
  return 0;
}

}  // namespace

const lua_file* file_at(lua_State* L, int index) {
  void* p = lua_touserdata(L, index);
  if (!p || !lua_getmetatable(L, index)) return nullptr;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_FILEHANDLE);
  const bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? static_cast<const lua_file*>(p) : nullptr;
}

bool is_open(const lua_file& f) noexcept {
#if LUA_VERSION_NUM >= 502
  return f.close != nullptr;
#else
  return f.stream != nullptr;
#endif
}

int descriptor_of(const lua_file& f) noexcept { return ::fileno(f.stream); }

std::size_t bytes_ahead(const lua_file& f) noexcept { return ahead(f.stream, 0); }

}  // namespace weft::inline v0::lua
