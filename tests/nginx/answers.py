# SPDX-License-Identifier: MIT
"""What the tests of nginx ask of Python."""
import asyncio
import sqlite3


def upper(request):
    return sqlite3.connect(":memory:").execute("select upper(?)", (request.decode(),)).fetchone()[0]


async def later(request):
    await asyncio.sleep(float(request))
    return b"slept"


def fails(request):
    raise ValueError("not this time")
