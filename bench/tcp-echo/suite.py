# SPDX-License-Identifier: MIT
"""TCP echo with messages of 64 bytes: CPU time of the server a message, latency, what an idle connection costs."""
import contextlib, functools, itertools, random, resource, shutil, socket, subprocess, time
from harness import BENCH, LUAS, OUT, PRESET, ROOT, Job, Metric, Skip, built, lua_command, measure, pinned

HERE = BENCH / "tcp-echo"
LIMIT = "C epoll"
IDLE = 10000
SIZES = (100, 1000, 10000)
PEERS = ("Tokio", "asio")           # that the server in C++ is also compared with
BARS = {"cpu": 1.05, "p99": 1.15}   # what it may be of theirs
ports = itertools.count(random.randrange(10000, 30000))  # below the ephemeral ones, a new one each time


@functools.cache
def tokio():
    if not shutil.which("cargo"): raise Skip("no cargo")
    done = subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", HERE / "tokio_echo" / "Cargo.toml", "--target-dir",
                           OUT / "tokio_echo"], capture_output=True, text=True)
    if done.returncode: raise Skip(f"tokio_echo does not build: {done.stderr.strip()[:300]}")
    return [OUT / "tokio_echo" / "release" / "tokio_echo"]


def servers():
    """Peer -> function that gives its command, to which the port is added."""
    def script(lua, name): return lambda: [*lua_command(lua, name), HERE / f"{name}_echo.lua"]
    def compiled(name, source, *command, libraries=()): return lambda: [built(name, (HERE / source,), (*command, "{out}", HERE / source, *libraries))]

    def native():
        source, lib = HERE / "weft_cpp_echo.cpp", PRESET / "lib"
        return [built("weft_cpp_echo", (source, lib / "libweft.so"), ("g++", "-std=c++20", "-O2", "-DNDEBUG", f"-I{ROOT}/include", source,
                      "-o", "{out}", f"-L{lib}", "-lweft", f"-Wl,-rpath,{lib}", "-pthread"))]

    yield LIMIT, compiled("epoll_echo", "epoll_echo.c", "gcc", "-O2", "-o")
    yield "C io_uring", compiled("uring_echo", "uring_echo.c", "gcc", "-O2", "-o", libraries=("-luring",))
    yield "weft C++", native
    yield "Tokio", tokio
    yield "asio", compiled("asio_echo", "asio_echo.cpp", "g++", "-std=c++20", "-O2", "-DNDEBUG", "-pthread", "-o")
    for name in ("weft", "luv", "cqueues"):
        yield from ((f"{name} {lua}", script(lua, name)) for lua in LUAS)
    yield "copas luajit", script("luajit", "copas")
    yield "Go", compiled("go_echo", "go_echo.go", "go", "build", "-o")


@contextlib.contextmanager
def serving(command):
    """Starts the server on core 0: -> port, pid"""
    port = next(ports)
    server = subprocess.Popen(pinned(0, [*command, port]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(100):
            time.sleep(0.05)
            if server.poll() is not None: raise Skip(f"the server ended: {server.stderr.read().strip()[:300]}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1): break
        else: raise Skip("the server does not accept")
        time.sleep(0.2)
        yield port, server.pid
    finally:
        server.kill()
        server.communicate()


def load(command, *arguments):
    generator = built("load", (HERE / "load.cc",), ("g++", "-std=c++20", "-O2", "-o", "{out}", HERE / "load.cc"))
    with serving(command) as (port, pid):
        return measure([generator, *arguments, port, pid], core=1, timeout=60)


def jobs(options):
    seconds = 0.2 if options.quick else 1

    def echo(connections, command):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < connections + 100: raise Skip(f"fewer than {connections} open files are allowed")
        results = load(command(), "-c", connections, "-t", seconds, "-w", 0.5)
        named = [(f"{name}_{connections}", value, unit) for name, value, unit in results]
        return named + [(f"{name}_of_{peer}", value, unit) for name, value, unit in named for peer in PEERS if name.split("_")[0] in BARS]

    def idle(command):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < IDLE + 100: raise Skip(f"fewer than {IDLE} open files are allowed")
        return [(f"idle_{IDLE}", value, unit) for _, value, unit in load(command(), "-i", "-c", IDLE)]

    for connections in SIZES:
        for peer, command in servers():
            if "copas" in peer and connections > 100: continue  # select
            yield Job("tcp-echo", peer, f"echo_{connections}", lambda c=connections, f=command: echo(c, f))
    for peer, command in servers():
        if "copas" not in peer: yield Job("tcp-echo", peer, "idle", lambda f=command: idle(f), once=True)


def metrics():
    bars = {"cpu": {"weft lua5.4": 1.1, "weft C++": 1.05}, "p99": {"weft lua5.4": 1.15, "weft C++": 1.15}}
    for connections in SIZES:
        for name in ("cpu", "p50", "p99", "rate"):
            metric = f"{name}_{connections}"
            yield Metric("tcp-echo", metric, (metric, LIMIT), bars.get(name, {}))
        for name, bar in BARS.items():
            for peer in PEERS:
                metric = f"{name}_{connections}_of_{peer}"
                yield Metric("tcp-echo", metric, (metric, peer), {"weft C++": bar})
    yield Metric("tcp-echo", f"idle_{IDLE}", None, {"weft C++": 2048} | {f"weft {lua}": 2560 for lua in LUAS})
