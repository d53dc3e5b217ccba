# SPDX-License-Identifier: MIT
"""CPU time of echoes by modules in Python, Java and Node, one after the other and 64 at once; beside what Python alone needs."""
import shutil
from harness import BENCH, LUAS, OUT, PRESET, Job, Metric, Skip, built, lua_command, measure

HERE = BENCH / "foreign-modules"
COUNTS = {"python": (50_000, 300_000), "asyncio": (20_000, 50_000), "java": (50_000, 300_000), "node": (10_000, 100_000)}
SECTIONS = ("one", "many")


def classes():
    jar = PRESET / "lib" / "weft" / "weft.jar"
    if not shutil.which("javac") or not jar.exists(): raise Skip("no Java")
    source = HERE / "EchoClass.java"
    built("EchoClass.class", (source, jar), ("javac", "--release", "11", "-d", OUT, source))
    return OUT


def module(lua, language, section):
    n = COUNTS[language][SECTIONS.index(section)]
    more = [classes()] if language == "java" else []
    return measure([*lua_command(lua, "weft"), HERE / "calls.lua", language, section, n, *more])


def alone(section):
    return measure(["/usr/bin/python3", HERE / "python_alone.py", section, 2_000_000 if section == "call" else 100_000])


def jobs(options):
    for lua in LUAS:
        yield from (Job(lua, "Python alone", section, lambda s=section: alone(s)) for section in ("call", *SECTIONS))
        for language in COUNTS:
            yield from (Job(lua, language, s, lambda lua=lua, language=language, s=s: module(lua, language, s)) for s in SECTIONS)


def metrics():
    for lua in LUAS:
        yield from (Metric(lua, f"{s}_there", (f"{s}_there", "Python alone")) for s in ("call", *SECTIONS))
        yield from (Metric(lua, f"{s}_here") for s in SECTIONS)
