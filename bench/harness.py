# SPDX-License-Identifier: MIT
"""What the suites are made of: jobs that measure, metrics that are judged, and how programs are built and started."""
import dataclasses, functools, json, os, pathlib, platform, re, shutil, statistics, subprocess, sys, time
from typing import Callable, Iterable, Optional

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
OUT = ROOT / "build" / "bench"
PRESET = ROOT / "build" / os.environ.get("WEFT_PRESET", "release")
LUAS = ("lua5.4", "luajit")


class Skip(Exception):
    """Something that a job needs is not here."""


@dataclasses.dataclass
class Job:
    group: str
    peer: str
    name: str
    run: Callable[[], Iterable[tuple]]  # -> (metric, value, unit) ...
    once: bool = False                  # in the first round alone

    def __str__(self): return f"{self.group}/{self.name}/{self.peer}"


@dataclasses.dataclass
class Metric:
    group: str
    name: str
    base: Optional[tuple] = None        # (metric, peer) that ratios are to
    bars: dict = dataclasses.field(default_factory=dict)  # peer -> the most its ratio may be; its value, if there is no base
    floor: Optional[str] = None         # the peer that shows what is possible


# Building and starting

def pinned(core, command):
    """A core, or some as taskset names them."""
    cores = core if isinstance(core, str) else min(core, os.cpu_count() - 1)
    return ["taskset", "-c", str(cores), *map(str, command)]


def measure(command, core=0, timeout=120):
    """Runs a program that prints lines RESULT name value unit."""
    try: done = subprocess.run(pinned(core, command), capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired: raise Skip(f"no end after {timeout} s")
    if done.returncode: raise Skip(f"exit {done.returncode}: {done.stderr.strip()[:300]}")
    return [(name, float(value), unit) for name, value, unit in re.findall(r"^RESULT (\S+) (\S+) (\S+)$", done.stdout, re.M)]


@functools.cache
def built(name, sources, command):
    """build/bench/name, made anew by command (with {out}) when one of the sources is newer."""
    out = OUT / name
    if missing := [s for s in sources if not s.exists()]: raise Skip(f"{missing[0].relative_to(ROOT)} does not exist")
    if out.exists() and all(s.stat().st_mtime < out.stat().st_mtime for s in sources): return out
    if not shutil.which(command[0]): raise Skip(f"no {command[0]}")
    OUT.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([str(out) if c == "{out}" else str(c) for c in command], capture_output=True, text=True)
    if done.returncode: raise Skip(f"{name} does not build: {done.stderr.strip()[:300]}")
    return out


def pkg_config(what, package):
    done = subprocess.run(["pkg-config", what, package], capture_output=True, text=True)
    if done.returncode: raise Skip(f"no {package} for pkg-config")
    return tuple(done.stdout.split())


@functools.cache
def lua_command(lua, module=None):
    """The stock interpreter, with the weft that is built here if that is the module; Skip if it cannot be loaded."""
    if not shutil.which(lua): raise Skip(f"no {lua}")
    command = [lua]
    if module == "weft":
        abi = "5.1" if lua == "luajit" else lua.removeprefix("lua")
        share = PRESET / "share" / "lua"
        command = ["env", f"LUA_PATH={share}/?.lua;{share}/?/init.lua;;", f"LUA_CPATH={PRESET}/lib/lua/{abi}/?.so;;", lua]
    if module:
        done = subprocess.run([*command, "-e", f"require '{module}'"], capture_output=True, text=True)
        if done.returncode: raise Skip(f"{lua} has no module {module}: {done.stderr.strip().splitlines()[0][:200]}")
    return command


# Measuring and judging

def run_rounds(jobs, rounds):
    """All jobs in turn, again and again: -> {(group, metric): {peer: values}}, {(group, metric): unit}, {job: why skipped}"""
    samples, units, skipped = {}, {}, {}
    for round in range(rounds):
        for number, job in enumerate(jobs):
            if str(job) in skipped or (job.once and round): continue
            if sys.stderr.isatty(): print(f"\r\033[Kround {round + 1}/{rounds} job {number + 1}/{len(jobs)} {job}", end="", file=sys.stderr, flush=True)
            try: results = list(job.run())
            except Skip as why:
                skipped[str(job)] = str(why)
                continue
            for metric, value, unit in results:
                samples.setdefault((job.group, metric), {}).setdefault(job.peer, []).append(value)
                units[job.group, metric] = unit
    if sys.stderr.isatty(): print("\r\033[K", end="", file=sys.stderr, flush=True)
    return samples, units, skipped


def judge(metric, ratio, floor):
    """-> verdict for each peer that has a bar, from the ratio (or value) of each peer."""
    verdicts = {}
    for peer, bar in metric.bars.items():
        got = ratio.get(peer)
        if got is None: verdicts[peer] = "not measured"
        elif got <= bar: verdicts[peer] = "met"
        elif floor is not None and floor > bar: verdicts[peer] = f"met (floor {floor:.3g} is above the bar)"
        else: verdicts[peer] = f"missed by {(got / bar - 1) * 100:.0f} %"
    return verdicts


def evaluate(metrics, samples, units):
    """One record for each metric that was measured or has a bar."""
    for metric in metrics:
        peers = samples.get((metric.group, metric.name), {})
        if not peers: continue
        medians = {peer: statistics.median(values) for peer, values in peers.items()}
        judged = medians
        if metric.base:
            base = samples.get((metric.group, metric.base[0]), {}).get(metric.base[1])
            judged = {peer: m / statistics.median(base) for peer, m in medians.items()} if base else {}
        verdicts = judge(metric, judged, judged.get(metric.floor))
        yield {
            "group": metric.group, "metric": metric.name, "unit": units[metric.group, metric.name], "base": metric.base,
            "peers": {peer: {"median": medians.get(peer), "values": peers.get(peer, []), "ratio": judged.get(peer) if metric.base else None,
                             "bar": metric.bars.get(peer), "verdict": verdicts.get(peer)}
                      for peer in [*peers, *(p for p in metric.bars if p not in peers)]},
        }


def short(x): return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"


def print_table(records, skipped):
    for r in records:
        per = f", ratio to {' of '.join(r['base'])}" if r["base"] else ""
        print(f"\n{r['group']}: {r['metric']} [{r['unit']}]{per}")
        for peer, p in r["peers"].items():
            line = f"  {peer:18}"
            if p["values"]: line += f"{short(p['median']):>9}  {'[' + short(min(p['values'])) + ' .. ' + short(max(p['values'])) + ']':22}"
            else: line += " " * 33
            line += f"{p['ratio']:8.2f}" if p["ratio"] is not None else " " * 8
            if p["bar"] is not None: line += f"   bar {short(p['bar'])}: {p['verdict']}"
            print(line)
    judged = [(r, peer, p) for r in records for peer, p in r["peers"].items() if p["verdict"]]
    count = lambda word: sum(p["verdict"].startswith(word) for _, _, p in judged)
    print(f"\nbars: {count('met')} met, {count('missed')} missed, {count('not')} not measured")
    for r, peer, p in judged:
        if p["verdict"].startswith("missed"): print(f"{p['verdict']}: {r['group']} {r['metric']} {peer}")
    reasons = {}
    for job, why in skipped.items(): reasons.setdefault(why, []).append(job)
    for why, jobs in reasons.items(): print(f"skipped {jobs[0]}{f' and {len(jobs) - 1} more' if len(jobs) > 1 else ''}: {why}")


def write_json(path, records, skipped, rounds):
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    machine = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    document = {"date": time.strftime("%F %T"), "commit": commit, "machine": machine, "kernel": platform.release(),
                "rounds": rounds, "results": records, "skipped": skipped}
    pathlib.Path(path).write_text(json.dumps(document, indent=1) + "\n")
