# SPDX-License-Identifier: MIT
"""Whether a send without a copy pays on the loopback: CPU time of both sides a message."""
import itertools
from harness import BENCH, Job, Metric, built, measure

HERE = BENCH / "zerocopy"
WAYS = ("send", "MSG_ZEROCOPY", "ring_send", "ring_send_zc")
SIZES = (4, 16, 64, 256, 1024)  # KiB


def run(way, kib):
    source = HERE / "send.c"
    return measure([built("zerocopy_send", (source,), ("gcc", "-O2", "-pthread", "-o", "{out}", source, "-luring")), way, kib * 1024])


def jobs(options):
    for kib, way in itertools.product(SIZES, WAYS): yield Job("zerocopy", way, f"{kib}K", lambda w=way, k=kib: run(w, k))


def metrics():
    for kib in SIZES: yield Metric("zerocopy", f"message_{kib}K", (f"message_{kib}K", "send"))
