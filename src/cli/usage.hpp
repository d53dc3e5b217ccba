// SPDX-License-Identifier: MIT
// The help of the command, which the launcher prints without a Lua, and each executable with one.
#pragma once

namespace weft::inline v0::cli {

inline constexpr const char usage[] =
    "usage: weft [options] [run] [program [arguments]]\n"
    "  run PROGRAM   run a Lua program, its main chunk as a fiber; 'run' may be left out\n"
    "  -             run standard input as the program\n"
    "  -e CODE       run a line of Lua; may be given several times\n"
    "  -i            read and run lines after that; alone on a terminal weft does so too\n"
    "  --lua NAME    with this Lua: 5.1, 5.2, 5.3, 5.4, 5.5 or jit (default: WEFT_LUA, else 5.4,\n"
    "                else the newest there is)\n"
    "  --            end of the options\n"
    "  --version     print the versions and stop\n"
    "  --help        print this and stop\n";

}  // namespace weft::inline v0::cli
