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


def bare(n):
    source = HERE / "bare.c"
    return measure([built("embed_bare", (source,), ("gcc", "-O2", "-pthread", "-o", "{out}", source)), n], CORES)


def jobs(options):
    for lua in LUAS:
        for what, n in COUNTS.items():
            n = n // 10 if options.quick else n
            yield Job(lua, "weft", what, lambda lua=lua, w=what, n=n: weft(lua, w, n))
            if what == "enter": yield Job(lua, "bare", what, lambda n=n: bare(n))


def metrics():
    for lua in LUAS:
        yield Metric(lua, "post", bars={"weft": 2000})  # 500,000 a second
        yield Metric(lua, "post_cpu")
        for idle in ("idle", "idle_watched"):  # beside a bare thread that the same thread wakes in the same run
            yield Metric(lua, idle, (f"{idle}_bare", "weft"), bars={"weft": 1.3})
            yield Metric(lua, f"{idle}_bare")
        for threads in (1, 2, 8): yield Metric(lua, f"enter_{threads}", (f"enter_{threads}", "bare"), bars={"weft": 1.3} if threads > 1 else {})
        yield Metric(lua, "longer_than_8", bars={"weft": 0.001})
