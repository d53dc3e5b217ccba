# SPDX-License-Identifier: MIT
"""Echoes by foreign libraries: one after the other and 64 at once, 16 bytes and 100 KiB, all on one core; beside a bare queue in C
and a Go process behind a Unix socket. us of the core a call."""
import contextlib, functools, pathlib, shutil, subprocess, tempfile
from harness import BENCH, LUAS, PRESET, ROOT, Job, Metric, Skip, built, lua_command, measure, pinned

HERE = BENCH / "foreign"
SIZES = {16: (100_000, 1_000_000), 102_400: (20_000, 40_000)}
PAUSE = 200_000  # ns: longer than either side looks again before it parks
LIBRARY = {"Go": ("libgo_echo.so", "1"), "Rust": ("librust_echo.so", "1")}
# lua-resty-ffi in nginx with LuaJIT, round trips a second on one core (issue 6); as us a call.
RESTY = {("C", "one"): 1e6 / 250_000, ("C", "many"): 1e6 / 1_450_000, ("Go", "one"): 1e6 / 210_000, ("Go", "many"): 1e6 / 470_000,
         ("Rust", "one"): 1e6 / 250_000, ("Rust", "many"): 1e6 / 1_450_000}


@functools.cache
def alone():
    """What puts a program before all others of the core, so that its wall time is its own; nothing where that is not allowed."""
    command = ["chrt", "-f", "10"]
    return command if shutil.which("chrt") and subprocess.run([*command, "true"], capture_output=True).returncode == 0 else []


def echo_in_c():
    source = HERE / "echo.c"
    return built("libforeign_echo.so", (source,), ("gcc", "-O2", "-shared", "-fPIC", "-pthread", f"-I{ROOT}/include", "-o", "{out}", source))


def weft(lua, language, size, depth, n, *pause):
    library, config = LIBRARY.get(language, (None, PAUSE if pause else ""))
    path = PRESET / "lib" / "foreign" / library if library else echo_in_c()
    if not pathlib.Path(path).exists(): raise Skip(f"{library} was not built")
    return measure([*alone(), *lua_command(lua, "weft"), HERE / "calls.lua", path, config, size, depth, n, *(p / 1e9 for p in pause)])


def bare(size, depth, n, *pause):
    source = HERE / "queue.c"
    return measure([*alone(), built("foreign_queue", (source,), ("gcc", "-O2", "-pthread", "-o", "{out}", source)), size, depth, n, *pause])


@contextlib.contextmanager
def unix_server():
    go = shutil.which("go") or "/usr/local/go/bin/go"
    server = built("unix_echo", (HERE / "unix_echo.go",), (go, "build", "-o", "{out}", HERE / "unix_echo.go"))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s"
        process = subprocess.Popen(pinned(0, [*alone(), server, path]), stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            yield path
        finally:
            process.kill()
            process.communicate()


def cqueues(lua, size, depth, n):
    with unix_server() as path:
        return measure([*alone(), *lua_command(lua, "cqueues"), HERE / "cqueues_unix.lua", path, size, depth, n])


def jobs(options):
    for lua in LUAS:
        n = 1_000 if options.quick else 10_000
        yield Job(lua, "bare queue", "parked_16", lambda n=n: bare(16, 1, n, PAUSE))
        yield Job(lua, "weft C", "parked_16", lambda lua=lua, n=n: weft(lua, "C", 16, 1, n, PAUSE))
        for size, counts in SIZES.items():
            for depth, n in zip((1, 64), counts):
                n = n // 10 if options.quick else n
                name = f"{'one' if depth == 1 else 'many'}_{size}"
                yield Job(lua, "bare queue", name, lambda s=size, d=depth, n=n: bare(s, d, n))
                for language in ("C", *LIBRARY):
                    yield Job(lua, f"weft {language}", name, lambda lua=lua, l=language, s=size, d=depth, n=n: weft(lua, l, s, d, n))
                yield Job(lua, "cqueues, Unix socket", name, lambda lua=lua, s=size, d=depth, n=n // 4: cqueues(lua, s, d, n))


def metrics():
    for lua in LUAS:
        # 0.9 of lua-resty-ffi on Lua 5.4; absolute, so believable on a machine like that of the issue alone.
        share = 1 if lua == "luajit" else 0.9
        yield Metric(lua, "parked_16", ("parked_16", "bare queue"), {"weft C": 1.3})
        for size in SIZES:
            for section in ("one", "many"):
                bars = {f"weft {l}": us / share for (l, s), us in RESTY.items() if s == section} if size == 16 else {}
                yield Metric(lua, f"{section}_{size}_wall", bars=bars)
                yield Metric(lua, f"{section}_{size}", (f"{section}_{size}", "bare queue"))
