// SPDX-License-Identifier: MIT
// bin/weft: picks libexec/weft/weft-<lua> beside itself and becomes it (exec: signals, terminal and
// exit code are its own). Knows of the options only where they end, and --lua and --help. Works in
// fixed buffers: no allocation, and no library but libc to load.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "cli/usage.hpp"

namespace {

using namespace std::string_view_literals;

struct lua_kind {
  std::string_view name;  // as --lua has it
  const char* program;
};

// In the order of the default.
constexpr std::array<lua_kind, 6> kinds = {{{"5.4", "weft-lua5.4"},
                                            {"5.5", "weft-lua5.5"},
                                            {"5.3", "weft-lua5.3"},
                                            {"5.2", "weft-lua5.2"},
                                            {"5.1", "weft-lua5.1"},
                                            {"jit", "weft-luajit"}}};

using path = std::array<char, PATH_MAX>;

/// The folder of the executables, or false.
bool find_folder(path& folder) {
  const ssize_t n = readlink("/proc/self/exe", folder.data(), folder.size() - 1);
  if (n <= 0) return false;
  folder[static_cast<std::size_t>(n)] = '\0';
  for (int up = 0; up < 2; ++up) {
    char* slash = std::strrchr(folder.data(), '/');
    if (!slash) return false;
    *slash = '\0';
  }
  constexpr auto inner = "/libexec/weft"sv;
  const std::size_t length = std::strlen(folder.data());
  if (length + inner.size() >= folder.size()) return false;
  std::memcpy(&folder[length], inner.data(), inner.size() + 1);
  return true;
}

bool program_of(const path& folder, const lua_kind& kind, path& program) {
  const int n = std::snprintf(program.data(), program.size(), "%s/%s", folder.data(), kind.program);
  return n > 0 && static_cast<std::size_t>(n) < program.size() && access(program.data(), X_OK) == 0;
}

struct choices {
  const char* lua = nullptr;
  bool lua_without_name = false;
  bool help = false;
};

/// The options before the program; the executable sees them all again.
choices read_options(int argc, char** argv) {
  choices c;
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    if (a == "run") {
      if (i > 1 && std::string_view(argv[i - 1]) == "run") break;  // a program of that name
      continue;
    }
    if (a.empty() || a[0] != '-' || a == "-" || a == "--") break;
    if (a == "--lua") {
      c.lua_without_name = i + 1 == argc;
      c.lua = argv[++i];
      if (c.lua_without_name) break;
    } else if (a.starts_with("--lua=")) {
      c.lua = argv[i] + 6;
    } else if (a == "-e") {
      ++i;
    } else if (a == "--help" || a == "-h") {
      c.help = true;
      break;
    }
  }
  return c;
}

void list_luas(const path& folder, std::FILE* to) {
  path program;
  bool any = false;
  for (const lua_kind& kind : kinds) {
    if (!program_of(folder, kind, program)) continue;
    std::fprintf(to, "%s%.*s", any ? ", " : "", static_cast<int>(kind.name.size()),
                 kind.name.data());
    any = true;
  }
  std::fputs(any ? "\n" : "none\n", to);
}

const lua_kind* kind_named(std::string_view name) {
  if (name == "luajit") name = "jit";
  if (name.starts_with("lua")) name.remove_prefix(3);
  for (const lua_kind& kind : kinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

/// The program of the Lua that was asked for, or of the first there is.
bool find_program(const path& folder, const char* asked, path& program) {
  if (asked) {
    const lua_kind* kind = kind_named(asked);
    return kind && program_of(folder, *kind, program);
  }
  for (const lua_kind& kind : kinds)
    if (program_of(folder, kind, program)) return true;
  return false;
}

int refuse(const path& folder, const char* asked) {
  if (asked)
    std::fprintf(stderr, "weft: no Lua '%s' here; there is: ", asked);
  else
    std::fprintf(stderr, "weft: no Lua in %s; there is: ", folder.data());
  list_luas(folder, stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  path folder;
  if (!find_folder(folder)) {
    std::fputs("weft: cannot find where it is installed (/proc/self/exe)\n", stderr);
    return 1;
  }
  choices c = read_options(argc, argv);
  if (c.help) {
    std::fputs(weft::cli::usage, stdout);
    std::fputs("Lua here: ", stdout);
    list_luas(folder, stdout);
    return 0;
  }
  if (c.lua_without_name) {
    std::fputs("weft: '--lua' needs the name of a Lua; there is: ", stderr);
    list_luas(folder, stderr);
    return 1;
  }
  if (!c.lua) c.lua = secure_getenv("WEFT_LUA");
  if (c.lua && !*c.lua) c.lua = nullptr;
  path program;
  if (!find_program(folder, c.lua, program)) return refuse(folder, c.lua);
  execv(program.data(), argv);
  std::fprintf(stderr, "weft: cannot run %s: %s\n", program.data(), std::strerror(errno));
  return 1;
}
