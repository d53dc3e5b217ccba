# SPDX-License-Identifier: MIT
"""TCP echo with messages of 64 bytes and 1 KiB: CPU time of the server a message, latency, what an idle connection costs."""
import contextlib, functools, itertools, random, resource, shutil, socket, subprocess, time
from harness import BENCH, LUAS, OUT, PRESET, ROOT, Job, Metric, Skip, built, lua_command, measure, pinned

HERE = BENCH / "tcp-echo"
LIMIT = "C epoll"
IDLE = 10000
CONNECTIONS = (1, 100, 1000, 10000)
SIZES = {"64 B": 64, "1 KiB": 1024}
OTHERS = {"C io_uring": {"weft lua5.4": 1.1, "weft C++": 1.1}, "Tokio": {"weft C++": 0.97}, "asio": {"weft C++": 0.97}}  # bars of `cpu`
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
    def on_epoll(command): return lambda: ["env", "WEFT_BACKEND=epoll", *command()]

    yield "weft C++", native
    yield "weft C++ epoll", on_epoll(native)
    yield "Tokio", tokio
    yield "asio", compiled("asio_echo", "asio_echo.cpp", "g++", "-std=c++20", "-O2", "-DNDEBUG", "-pthread", "-o")
    for name in ("weft", "luv", "cqueues"):
        yield from ((f"{name} {lua}", script(lua, name)) for lua in LUAS)
    yield "weft lua5.4 epoll", on_epoll(script("lua5.4", "weft"))
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


def of(group): return f"tcp-echo {group}"


def jobs(options):
    seconds = 0.2 if options.quick else 1

    def allow(connections):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < connections + 100: raise Skip(f"fewer than {connections} open files are allowed")

    def echo(size, connections, command):
        allow(connections)
        results = load(command(), "-s", size, "-c", connections, "-t", seconds, "-w", 0.5)
        named = [(f"{name}_{connections}", value, unit) for name, value, unit in results]
        return named + [(f"{name}_of_{other}", value, unit) for name, value, unit in named for other in OTHERS if name.startswith("cpu")]

    def idle(command):
        allow(IDLE)
        return [(f"idle_{IDLE}", value, unit) for _, value, unit in load(command(), "-i", "-c", IDLE)]

    for (group, size), connections in itertools.product(SIZES.items(), CONNECTIONS):
        for peer, command in servers():
            if "copas" in peer and connections > 100: continue  # select
            yield Job(of(group), peer, f"echo_{connections}", lambda s=size, c=connections, f=command: echo(s, c, f))
    for peer, command in servers():
        if "copas" not in peer: yield Job(of("64 B"), peer, "idle", lambda f=command: idle(f), once=True)


def metrics():
    for group, connections in itertools.product(SIZES, CONNECTIONS):
        most = 1.05 if connections <= 1000 else 1.0
        bars = {"cpu": {"weft lua5.4": most, "weft C++": most}, "p99": {"weft lua5.4": 1.15, "weft C++": 1.15}}
        for name in ("cpu", "p50", "p99", "rate"):
            metric = f"{name}_{connections}"
            yield Metric(of(group), metric, (metric, LIMIT), bars.get(name, {}))
        for other, its_bars in OTHERS.items():
            metric = f"cpu_{connections}_of_{other}"
            yield Metric(of(group), metric, (metric, other), its_bars)
    yield Metric(of("64 B"), f"idle_{IDLE}", None, {"weft C++": 2048} | {f"weft {lua}": 2560 for lua in LUAS})
