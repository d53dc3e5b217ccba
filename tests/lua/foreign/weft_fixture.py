# SPDX-License-Identifier: MIT
"""What tests/lua/test_foreign_python.lua calls."""

import asyncio
import io
import os
import signal
import sqlite3
import sys
import threading
import time
import zipfile

import weft


class Fixture:
    def __init__(self, config):
        self.settings = config
        self.cancellations = 0
        self.endless_last = 0

    def config(self, request):
        return self.settings

    def echo(self, request):
        return request

    def length(self, request):
        return "none" if request is None else str(len(request))

    def nothing(self, request):
        return None

    def fail(self, request):
        raise ValueError("deliberate failure")

    def wrong(self, request):
        return 5

    def fast_sleep(self, request):
        time.sleep(0.05)
        return request

    def slow(self, request):
        for _ in range(2000):
            if weft.cancelled():
                self.cancellations += 1
                return None
            time.sleep(0.005)
        return b"late"

    def cancellations_seen(self, request):
        return str(self.cancellations)

    def abc(self, request):
        yield "a"
        yield b"b"
        return "c"

    def digits(self, request):
        for i in range(int(request)):
            yield str(i % 10)

    def failing_abc(self, request):
        yield "a"
        raise ValueError("deliberate failure")

    def endless(self, request):
        while True:
            self.endless_last += 1
            yield str(self.endless_last)

    def endless_made(self, request):
        return str(self.endless_last)

    async def later(self, request):
        await asyncio.sleep(0.02)
        return request

    async def later_fail(self, request):
        await asyncio.sleep(0)
        raise ValueError("deliberate failure")

    async def slow_later(self, request):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancellations += 1
            raise

    async def later_abc(self, request):
        for part in "abc":
            await asyncio.sleep(0.001)
            yield part

    def time_left(self, request):
        left = weft.deadline()
        return "none" if left is None else "%.3f" % left

    def not_in_a_request(self, request):
        seen = []

        def ask():
            try:
                weft.cancelled()
            except RuntimeError as error:
                seen.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return seen[0]

    def unload(self):
        if self.settings and self.settings.startswith("/"):
            with open(self.settings, "w") as f:
                f.write("unloaded")

    # ---- what Python's own library does

    def query(self, request):
        """A database in memory, filled and asked."""
        db = sqlite3.connect(":memory:")
        db.execute("create table lua (version text, year int)")
        db.executemany("insert into lua values (?, ?)", [("5.1", 2006), ("5.3", 2015), ("5.4", 2020)])
        rows = db.execute(request.decode()).fetchall()
        db.close()
        return "\n".join(" ".join(str(v) for v in row) for row in rows)

    def unzip(self, request):
        """Packs the request, and unpacks it again."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("request", request)
        with zipfile.ZipFile(packed) as archive:
            return archive.read("request")

    async def ask_server(self, request):
        """An asyncio client: sends a line to a server on this port, and returns its answer."""
        port, line = request.decode().split(" ", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(line.encode() + b"\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer.rstrip(b"\n")

    # ---- how it sits in the process

    def version(self, request):
        return "%d.%d" % sys.version_info[:2]

    def prefix(self, request):
        return sys.path[0]

    def extension(self, request):
        """A C extension module, which finds libpython's symbols in the process."""
        import _ctypes
        import _decimal

        return str(_decimal.Decimal("1.10") + _decimal.Decimal("2.20")) + _ctypes.__name__

    def take_signal(self, request):
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        except ValueError as error:
            return str(error)

    def venv_package(self, request):
        import weft_venv_package

        return weft_venv_package.where()

    def process(self, request):
        return str(os.getpid())

    def _private(self, request):
        return b"never"


def init(config):
    if config == "refuse":
        raise RuntimeError("this configuration is refused")
    return Fixture(config)
