# SPDX-License-Identifier: MIT
"""Native threads that reach a Lua state, beside what the kernel and pthread make of the same. Wall time, both cores."""
from harness import BENCH, LUAS, ROOT, Job, Metric, built, lua_command, measure, pkg_config

HERE = BENCH / "embed"
COUNTS = {"post": 250_000, "idle": 5_000, "watched": 5_000, "enter": 20_000}
CORES = "0-1"


def module(lua):
    source, package = HERE / "embed.c", {"lua5.4": "lua5.4", "luajit": "luajit"}[lua]
    return built(f"embed_{lua}.so", (source,), ("gcc", "-O2", "-shared", "-fPIC", "-pthread", f"-I{ROOT}/include",
                                                *pkg_config("--cflags", package), "-o", "{out}", source))


def weft(lua, what, n):
    return measure([*lua_command(lua, "weft"), HERE / "embed.lua", module(lua), what, n], CORES)


def bare(what, n):
    source = HERE / "bare.c"
    return measure([built("embed_bare", (source,), ("gcc", "-O2", "-pthread", "-o", "{out}", source, "-luring")), what, n], CORES)


def jobs(options):
    for lua in LUAS:
        for what, n in COUNTS.items():
            n = n // 10 if options.quick else n
            yield Job(lua, "weft", what, lambda lua=lua, w=what, n=n: weft(lua, w, n))
            if what not in ("post", "watched"): yield Job(lua, "bare", what, lambda w=what, n=n: bare(w, n))


def metrics():
    for lua in LUAS:
        yield Metric(lua, "post", bars={"weft": 2000})  # 500,000 a second
        yield Metric(lua, "post_cpu")
        yield Metric(lua, "idle", ("idle", "bare"), bars={"weft": 1.3})
        # The floors: bare does the same in the ways that weft has to.
        for floor in ("idle_outside", "idle_ring"): yield Metric(lua, floor, ("idle", "bare"))
        yield Metric(lua, "idle_watched", ("idle", "bare"))
        for threads in (1, 2, 8): yield Metric(lua, f"enter_{threads}", (f"enter_{threads}", "bare"), bars={"weft": 1.3} if threads > 1 else {})
        yield Metric(lua, "longer_than_8", bars={"weft": 0.001})
