# SPDX-License-Identifier: MIT
"""Locks, dynamic operations, scopes and generators, in units of what the stock interpreter needs; and that none grows."""
from harness import BENCH, LUAS, Job, Metric, built, lua_command, measure, pkg_config

HERE = BENCH / "lua-sync"
STOCK = BENCH / "lua-micro" / "stock_micro.lua"

LOCKS = ("mutex_free", "mutex_2", "mutex_100", "semaphore_free", "semaphore_100")
CHOICES = ("choice_plain", "choice_guard", "choice_nack", "choice_nack_served")
SCOPES = ("scope", "scope_child")
GENERATORS = ("generator_wrap", "generator_resume")
PEERS = {
    **dict.fromkeys(LOCKS, ("weft", "cqueues", "Go")), **dict.fromkeys(CHOICES, ("weft",)),
    "scope": ("weft",), "scope_child": ("weft", "Go"), **dict.fromkeys(GENERATORS, ("stock", "floor", "weft")),
}
SCOPE_BAR = {"lua5.4": 6}
GENERATOR_BAR = 1.15
FLAT = 256  # KiB


def floor(lua):
    source = HERE / "generator_floor.c"
    command = ("gcc", "-O2", "-shared", "-fPIC", *pkg_config("--cflags", lua), source, "-o", "{out}")
    return built(f"generator_floor-{lua}.so", (source,), command)


def program(lua, peer, *arguments, timeout=120):
    if peer == "Go":
        command = [built("go_sync", (HERE / "go_sync.go",), ("go", "build", "-o", "{out}", HERE / "go_sync.go"))]
    elif peer == "floor":
        command, arguments = [*lua_command(lua), HERE / "stock_sync.lua"], (*arguments, floor(lua))
    else:
        command = [*lua_command(lua, None if peer == "stock" else peer), HERE / f"{peer}_sync.lua"]
    return measure([*command, *arguments], timeout=timeout)


def jobs(options):
    def job(lua, peer, section): return Job(lua, peer, section, lambda: program(lua, peer, section))
    def flat(lua, section):
        n = 10_000_000 if options.full else 500_000
        return Job(lua, section, "flat", lambda: program(lua, "weft", f"flat_{section}", n, timeout=600), once=True)

    for lua in LUAS:
        yield Job(lua, "stock", "pair", lambda lua=lua: measure([*lua_command(lua), STOCK, "pair"]))
        for section, peers in PEERS.items():
            yield from (job(lua, peer, section) for peer in peers)
        yield from (flat(lua, section) for section in PEERS)


def metrics():
    for lua in LUAS:
        for name in (*LOCKS, *CHOICES, *SCOPES):
            bar = {"weft": SCOPE_BAR[lua]} if name == "scope" and lua in SCOPE_BAR else {}
            yield Metric(lua, name, ("pair", "stock"), bar)
        yield from (Metric(lua, name, (name, "stock"), {"weft": GENERATOR_BAR}, "floor") for name in GENERATORS)
        yield from (Metric(lua, f"flat_{what}", None, dict.fromkeys(PEERS, FLAT)) for what in ("resident", "counted"))
