// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include "embed/engine.hpp"

namespace weft::inline v0::detail {

namespace {

/// Where libweft.so is, with a slash; empty if it is linked into the program.
std::string own_directory() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&open_lua_library), &info) || !info.dli_fname)
    return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

bool is_known(const std::string& lua) {
  for (const char* known : {"lua5.1", "lua5.2", "lua5.3", "lua5.4", "lua5.5", "luajit"})
    if (lua == known) return true;
  return false;
}

/// The Lua that the program itself is linked with, by functions that each version has added; empty:
/// none.
std::string lua_of_program() {
  const auto has = [](const char* f) { return dlsym(RTLD_DEFAULT, f) != nullptr; };
  if (!has("lua_newstate")) return "";
  if (has("luaJIT_setmode")) return "luajit";
  if (has("luaL_makeseed")) return "lua5.5";
  if (has("lua_newuserdatauv")) return "lua5.4";
  if (has("lua_rotate")) return "lua5.3";
  return has("lua_callk") ? "lua5.2" : "lua5.1";
}

/// Local: the symbols of one Lua are not those of another. Those of the program would be taken
/// first all the same; if they are another Lua's, the library looks in its own liblua first. Never
/// closed: states and finished fibers may still refer to its code.
int how_to_open(const std::string& lua) {
  constexpr int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
  const std::string other = lua_of_program();
  if (other.empty() || other == lua) return how;
#if defined(__GLIBC__)
  return how | RTLD_DEEPBIND;
#elif defined(__APPLE__)
  return how;  // a library takes symbols from where they were linked
#else
  throw script_error("weft: this program is linked with " + other + ", and cannot open " + lua);
#endif
}

}  // namespace

make_lua_engine open_lua_library(const std::string& lua) {
  if (!is_known(lua)) throw script_error("weft: no Lua is called '" + lua + "'");
  const std::string name = "libweft-" + lua + ".so";
  const int how = how_to_open(lua);
  void* library = dlopen((own_directory() + name).c_str(), how);
  if (!library) {
    const std::string why_not = dlerror();
    library = dlopen(name.c_str(), how);
    if (!library) throw script_error("weft: " + why_not);
  }
  void* make = dlsym(library, make_lua_engine_name);
  if (!make) throw script_error("weft: " + name + " is of another version");
  return reinterpret_cast<make_lua_engine>(make);
}

}  // namespace weft::inline v0::detail
