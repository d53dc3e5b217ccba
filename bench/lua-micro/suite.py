# SPDX-License-Identifier: MIT
"""Fibers, channels, choice, timers and memory on one core, in units of what the stock interpreter needs."""
from harness import BENCH, LUAS, Job, Metric, built, lua_command, measure, pkg_config

HERE = BENCH / "lua-micro"
PAIR, WRAP = ("pair", "stock"), ("wrap_call", "stock")
SIZES = (2, 8, 64)
TIMERS = ("wheel", "exact", "heap")

# Which peers have an equivalent of a section; the peers of one section run one after the other.
SECTIONS = {
    "pair": ["stock"],
    "wrap_call": ["stock"],
    **dict.fromkeys(["yield_2", "yield_1000", "rendezvous", "buffered_16", "buffered_100", "spawn", "parked", "choice"],
                    ["floor", "weft", "stock", "cqueues"]),
    "lost_arms": ["weft"],
}
MODULES = {"weft": "weft", "cqueues": "cqueues", "luv": "luv"}
# (lua5.4, luajit)
BARS = {"yield_2": (0.85, 1.0), "yield_1000": (0.85, 1.0), "rendezvous": (1.8, 3), "buffered_16": (1.4, 3), "buffered_100": (1.4, 3),
        "spawn": (0.6, 1.0), "parked": (1.15, 1.4), "choice_2": (4, 4), "choice_8": (6, 6), "choice_64": (20, 20),
        "choice_2_rebuilt": (8, 8), "choice_8_rebuilt": (16, 16), "choice_64_rebuilt": (90, 90)}


def floor(lua, *arguments):
    package = {"lua5.4": "lua5.4", "luajit": "luajit"}[lua]
    command = ("gcc", "-O2", *pkg_config("--cflags", package), HERE / "floor.c", "-o", "{out}", *pkg_config("--libs", package))
    return measure([built(f"floor-{lua}", (HERE / "floor.c", HERE / "wheel.h"), command), *arguments])


def program(lua, peer, *arguments):
    return measure([*lua_command(lua, MODULES.get(peer)), HERE / f"{peer}_micro.lua", *arguments])


def jobs(options):
    def job(lua, peer, *arguments, name=None, once=False):
        run = (lambda: floor(lua, *arguments)) if peer.startswith("floor") else (lambda: program(lua, peer, *arguments))
        return Job(lua, peer, name or arguments[0], run, once)

    for lua in LUAS:
        for section, peers in SECTIONS.items():
            yield from (job(lua, peer, section) for peer in peers)
        yield from (job(lua, f"floor {kind}", "sleepers", kind, "100000") for kind in TIMERS)
        yield from (job(lua, peer, "sleepers", "100000") for peer in ("weft", "cqueues", "luv"))
        if options.full:
            yield from (job(lua, f"floor {kind}", "sleepers", kind, "1000000", name="million", once=True) for kind in TIMERS)
            yield job(lua, "weft", "sleepers", "1000000", name="million", once=True)


def metrics():
    for column, lua in enumerate(LUAS):
        def metric(name, base, floor="floor"):
            return Metric(lua, name, base, {"weft": BARS[name][column]} if name in BARS else {}, floor)
        yield from (metric(name, PAIR) for name in ("pair", "yield_2", "yield_1000", "rendezvous", "buffered_16", "buffered_100"))
        yield from (metric(name, WRAP) for name in ("wrap_call", "spawn"))
        yield metric("parked", ("parked", "stock"))
        yield from (metric(f"choice_{k}{how}", PAIR) for how in ("", "_rebuilt") for k in SIZES)
        yield Metric(lua, "sleepers_100000", ("sleepers_100000", "floor wheel"), {"weft": 1.3}, "floor exact")
        yield Metric(lua, "sleepers_1000000", ("sleepers_1000000", "floor wheel"))
        yield Metric(lua, "lost_arms", None, {"weft": 256})
