# SPDX-License-Identifier: MIT
"""The core from C++: a timer that is cancelled and set again."""
import runpy
from harness import BENCH, ROOT, Job, Metric, built, measure

floor = runpy.run_path(str(BENCH / "lua-micro" / "suite.py"))["floor"]


def weft_timer():
    sources = (BENCH / "native" / "timer.cpp", ROOT / "src" / "core" / "timer_wheel.cpp")
    header = ROOT / "include" / "weft" / "core" / "timer_wheel.hpp"
    command = ("g++", "-std=c++20", "-O2", "-DNDEBUG", f"-I{ROOT}/src", f"-I{ROOT}/include", *sources, "-o", "{out}")
    return measure([built("timer", (header, *sources), command)])


def jobs(options):
    yield Job("native", "floor", "timer", lambda: floor("lua5.4", "timer"))
    yield Job("native", "weft", "timer", weft_timer)


def metrics():
    yield Metric("native", "timer_insert_cancel", None, {"weft": 40})
