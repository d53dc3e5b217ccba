# SPDX-License-Identifier: MIT
"""What a function that weft called may ask about its request."""

import contextvars

import _weft

__all__ = ["cancelled", "deadline"]

# The request of a task on the asyncio loop; what runs in a thread of its own is known to _weft.
_request = contextvars.ContextVar("weft.request", default=None)


class _Request:
    """A request that may end before everything that was started for it."""

    __slots__ = ("task",)

    def __init__(self, task):
        self.task = task


def _task():
    request = _request.get()
    task = request.task if request else _weft.current()
    if task is None and not request:
        raise RuntimeError("not inside a request")
    return task


def cancelled():
    """True once nobody waits for this request's answer any more: its caller was cancelled, or timed out."""
    task = _task()
    return task is None or _weft.cancelled(task)


def deadline():
    """The seconds that are left until the caller gives up, or None when it waits for ever."""
    task = _task()
    return 0.0 if task is None else _weft.deadline(task)
