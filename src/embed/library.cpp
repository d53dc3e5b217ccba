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

}  // namespace

// Local: the symbols of one Lua are not those of another. Never closed: states and finished fibers
// may still refer to its code.
make_lua_engine open_lua_library(const std::string& lua) {
  if (!is_known(lua)) throw script_error("weft: no Lua is called '" + lua + "'");
  const std::string name = "libweft-" + lua + ".so";
  constexpr int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
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
