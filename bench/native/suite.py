# SPDX-License-Identifier: MIT
"""Tasks, channels, locks, fork-join and timers from C++, beside Tokio, Go and asio, with one worker and with two."""
import functools, os, runpy, shutil, subprocess
from harness import BENCH, OUT, PRESET, ROOT, Job, Metric, Skip, built, measure

HERE = BENCH / "native"
floor = runpy.run_path(str(BENCH / "lua-micro" / "suite.py"))["floor"]

# metric: the most it may be of Tokio's multi_thread with one worker, and with two
BARS = {"yield_2": (0.35, 0.35), "yield_1000": (0.35, 0.35), "spawn_join": (0.3, 0.3), "spawn_join_each": (0.3, 0.3),
        "chan_msg": (0.45, 0.6), "fib30": (0.3, 0.12), "skynet": (0.2, 0.2)}


def weft_timer():
    core = ROOT / "src" / "core"
    sources = (HERE / "timer.cpp", core / "timer_wheel.cpp")
    command = ("g++", "-std=c++20", "-O2", "-DNDEBUG", f"-I{ROOT}/src", f"-I{ROOT}/include", *sources, "-o", "{out}")
    return measure([built("timer", (ROOT / "include" / "weft" / "core" / "timer_wheel.hpp", *sources), command)])


def weft():
    lib = PRESET / "lib"
    command = ("g++", "-std=c++20", "-O2", "-DNDEBUG", f"-I{ROOT}/include", HERE / "weft_micro.cpp", "-o", "{out}", f"-L{lib}", "-lweft",
               f"-Wl,-rpath,{lib}", "-pthread")
    return built("weft_micro", (HERE / "weft_micro.cpp", lib / "libweft.so"), command)


@functools.cache
def tokio():
    if not shutil.which("cargo"): raise Skip("no cargo")
    target = OUT / "tokio"
    done = subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", HERE / "tokio_micro" / "Cargo.toml", "--target-dir", target],
                          capture_output=True, text=True)
    if done.returncode: raise Skip(f"tokio_micro does not build: {done.stderr.strip()[:300]}")
    return target / "release" / "tokio_micro"


def asio():
    return built("asio_micro", (HERE / "asio_micro.cpp",), ("g++", "-std=c++20", "-O2", "-DNDEBUG", HERE / "asio_micro.cpp", "-o", "{out}", "-pthread"))


def go():
    folder = HERE / "go_micro"
    return built("go_micro", (folder / "main.go",), ("go", "build", "-C", folder, "-o", "{out}", "."))


def runs(program, workers):
    """A program with that many workers, its metrics without their suffix."""
    def run():
        # taskset names one core; with two workers there is nothing to pin.
        results = measure([*program(workers)], core=0) if workers == 1 else measure(["taskset", "-c", f"0-{os.cpu_count() - 1}", *program(workers)])
        return [(name.rsplit("_", 1)[0], value, unit) for name, value, unit in results]
    return run


PEERS = {
    "weft": lambda n: [weft(), n],
    "Tokio": lambda n: [tokio(), n],
    "Tokio current_thread": lambda n: [tokio(), 0],
    "asio": lambda n: [asio()],
    "Go": lambda n: ["env", f"GOMAXPROCS={n}", go()],
}


def group(workers):
    return "1 worker" if workers == 1 else f"{workers} workers"


def jobs(options):
    yield Job("native", "floor", "timer", lambda: floor("lua5.4", "timer"))
    yield Job("native", "weft", "timer", weft_timer)
    for workers in (1, 2):
        for peer, program in PEERS.items():
            if peer in ("Tokio current_thread", "asio") and workers > 1: continue
            yield Job(group(workers), peer, "tasks", runs(program, workers))


def metrics():
    yield Metric("native", "timer_insert_cancel", None, {"weft": 40})
    for column, workers in enumerate((1, 2)):
        for name, bars in BARS.items():
            yield Metric(group(workers), name, (name, "Tokio"), {"weft": bars[column]})
    for workers in (1, 2):
        for name in ("mutex_free", "semaphore_free"): yield Metric(group(workers), name, ("atomic_pair", "weft"), {"weft": 2})
    yield Metric(group(2), "apart", ("spin", "weft"), {"weft": 2.5})
    yield Metric(group(1), "parked_bytes_rss", None)
