# SPDX-License-Identifier: MIT
"""Round trips of 16 bytes from inside nginx: to a library, by both ways, and by a cosocket to another process."""
import contextlib, itertools, os, random, subprocess, tempfile, time, urllib.error, urllib.request
from harness import BENCH, OUT, PRESET, ROOT, Job, Metric, Skip, built, pinned

HERE = BENCH / "nginx"
ports = itertools.count(random.randrange(10000, 30000))

# Round trips a second of lua-resty-ffi inside nginx on one core, in the issue: all of it CPU time, since that core is
# never idle. The eventfd way shall reach 0.8 of them.
RESTY = {("C", "alone"): 250_000, ("C", "together"): 1_450_000, ("Go", "alone"): 210_000, ("Go", "together"): 470_000}
METRICS = ("alone", "together")


def libraries():
    """The folder with libecho_c.so, libecho_go.so: what can be built of them."""
    built("libecho_c.so", (HERE / "echo.c", ROOT / "include/weft/foreign.h"),
          ("gcc", "-O2", "-shared", "-fPIC", f"-I{ROOT}/include", HERE / "echo.c", "-o", "{out}", "-lpthread"))
    go = ROOT / "examples/foreign/go-echo"
    with contextlib.suppress(Skip):
        built("libecho_go.so", (go / "main.go",), ("go", "build", "-C", go, "-buildmode=c-shared", "-o", "{out}"))
    return OUT


@contextlib.contextmanager
def socket_server(folder):
    server = subprocess.Popen(pinned(0, ["env", "GOMAXPROCS=1", built(
        "socket_echo", (HERE / "socket_echo.go",), ("go", "build", "-o", "{out}", HERE / "socket_echo.go")), f"{folder}/echo.sock"]))
    try:
        while not os.path.exists(f"{folder}/echo.sock") and server.poll() is None: time.sleep(0.02)
        yield server.pid
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def nginx(way, folder):
    """-> the address of one that runs on core 0 with everything that it loads."""
    fetched = subprocess.run([ROOT / "tests/nginx/fetch.sh"], capture_output=True, text=True)
    if fetched.returncode: raise Skip(fetched.stderr.strip()[:200])
    if way == "event" and not (PRESET / "lib/weft/ngx_weft_module.so").exists(): raise Skip("no ngx_weft_module.so")
    port = next(ports)
    environment = dict(os.environ, NGINX_ROOT=fetched.stdout.strip(), BUILD=str(PRESET), LD_LIBRARY_PATH=str(libraries()),
                       WEFT_BENCH_WAY=way, WEFT_BENCH_SOCKET=f"{folder}/echo.sock", WEFT_BENCH_SCALE=os.environ.get("SCALE", "1"))
    started = subprocess.run(pinned(0, [ROOT / "examples/nginx/start.sh", folder, port, HERE / "nginx.conf"]), env=environment,
                             capture_output=True, text=True)
    if started.returncode: raise Skip(f"nginx does not start: {started.stderr.strip()[:300]}")
    try: yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(OSError): os.kill(int(open(f"{folder}/nginx.pid").read()), 15)


def cpu_time(pid):
    """Microseconds of a process."""
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def run(way, library):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, contextlib.ExitStack() as stack:
        os.chmod(folder, 0o755)
        server = stack.enter_context(socket_server(folder)) if library == "cosocket" else None
        address = stack.enter_context(nginx(way, folder))
        for metric in METRICS:
            before = cpu_time(server) if server else 0
            try: text = urllib.request.urlopen(f"{address}/{metric}?{library}", timeout=120).read()
            except urllib.error.URLError as why:
                raise Skip(f"{why}: {open(f'{folder}/error.log').read()[-300:]}") from why
            wall, cpu, trips = map(float, text.split())
            # The server has served a warm-up too: as many again one after the other, a 64th of the rest.
            warm = 2 if metric == "alone" else 1 + 1 / 64
            yield metric, wall, "us"
            yield f"{metric}_cpu", cpu + (cpu_time(server) - before) / (warm * trips) if server else cpu, "us"


def jobs(options):
    yield Job("nginx", "cosocket", "cosocket", lambda: run("socket", "cosocket"))
    for way, (name, language) in itertools.product(("event", "socket"), (("echo_c", "C"), ("echo_go", "Go"))):
        yield Job("nginx", f"{language}, {way}", f"{way}_{language}", lambda way=way, name=name: run(way, name))


def metrics():
    for metric in METRICS:
        # 64 at once a third of the cosocket's time, as the issue has it for C.
        bars = {"C, event": 1 / 3} if metric == "together" else {}
        yield Metric("nginx", metric, (metric, "cosocket"), bars)
        yield Metric("nginx", f"{metric}_cpu", None, {f"{language}, event": 1e6 / (0.8 * RESTY[language, metric]) for language in ("C", "Go")})
