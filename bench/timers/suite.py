# SPDX-License-Identifier: MIT
"""What a timeout that does not come adds to a wait: a timer armed and cancelled."""
from harness import BENCH, LUAS, PRESET, ROOT, Job, Metric, built, lua_command, measure

HERE = BENCH / "timers"
COUNT = 1_000_000


def native():
    source, lib = HERE / "timers.cpp", PRESET / "lib"
    return built("timers", (source, lib / "libweft.so"), ("g++", "-std=c++20", "-O2", "-DNDEBUG", f"-I{ROOT}/include", source, "-o", "{out}",
                                                          f"-L{lib}", "-lweft", f"-Wl,-rpath,{lib}", "-pthread"))


def jobs(options):
    n = COUNT // 10 if options.quick else COUNT
    yield Job("timers", "C++", "timers", lambda: measure([native(), n]))
    for lua in LUAS: yield Job("timers", lua, "timers", lambda lua=lua: measure([*lua_command(lua, "weft"), HERE / "timers.lua", n]))


def metrics():
    # 100,000 a second in 1 % of a core, and in 5 %.
    yield Metric("timers", "timer", bars={"C++": 100} | dict.fromkeys(LUAS, 500))
    yield Metric("timers", "whole")
