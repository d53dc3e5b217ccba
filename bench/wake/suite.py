# SPDX-License-Identifier: MIT
"""Another thread wakes a worker of a C++ runtime that is parked, beside a bare eventfd in epoll and in a ring. Wall time, both cores."""
import itertools
from harness import BENCH, PRESET, ROOT, Job, Metric, built, measure

HERE = BENCH / "wake"
CORES = "0-1"
BACKENDS = ("io_uring", "epoll")
COUNTS = {"spawn": 5000, "send": 5000, "trip": 50_000}
BARE = {"epoll": "eventfd in epoll", "ring": "eventfd in a ring"}


def bare_wake(n):
    source = BENCH / "embed" / "bare.c"
    program = built("embed_bare", (source,), ("gcc", "-O2", "-pthread", "-o", "{out}", source))
    return [("wake", value, unit) for _, value, unit in measure([program, "idle", n], CORES)]


def bare_trip(how, n):
    source = HERE / "bare.c"
    return measure([built("wake_bare", (source,), ("gcc", "-O2", "-pthread", "-o", "{out}", source, "-luring")), how, n], CORES)


def weft(way, backend, n):
    source, lib = HERE / "wake.cpp", PRESET / "lib"
    program = built("wake", (source, lib / "libweft.so"), ("g++", "-std=c++20", "-O2", "-DNDEBUG", f"-I{ROOT}/include", source, "-o", "{out}",
                                                           f"-L{lib}", "-lweft", f"-Wl,-rpath,{lib}", "-pthread"))
    return measure(["env", f"WEFT_BACKEND={backend}", program, way, n], CORES)


def jobs(options):
    counts = {what: n // 10 if options.quick else n for what, n in COUNTS.items()}
    yield Job("wake", BARE["epoll"], "wake", lambda: bare_wake(counts["send"]))
    for how, peer in BARE.items(): yield Job("wake", peer, "trip", lambda h=how: bare_trip(h, counts["trip"]))
    for (way, n), backend in itertools.product(counts.items(), BACKENDS):
        yield Job("wake", f"{way}, {backend}", "trip" if way == "trip" else "wake", lambda w=way, b=backend, n=n: weft(w, b, n))


def metrics():
    def bars(*ways): return {f"{way}, {backend}": 1.3 for way, backend in itertools.product(ways, BACKENDS)}
    yield Metric("wake", "trip", ("trip", BARE["epoll"]), bars("trip"))
    yield Metric("wake", "wake", ("wake", BARE["epoll"]), bars("spawn", "send"))
