# SPDX-License-Identifier: MIT
"""The asyncio loop of a runtime, in a thread of its own: what async functions run on."""

import asyncio
import collections
import threading

import _weft
from weft import _Request, _request
from weft._runtime import PAUSE, UNREAD

# How often the loop looks whether callers have gone away, in seconds.
SWEEP = 0.02


class Loop:
    def __init__(self, runtime):
        self.runtime = runtime
        self.inbox = collections.deque()
        self.scheduled = False
        self.running = {}
        self.sweeper = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._main, name="weft-asyncio", daemon=True)
        self.thread.start()

    def submit(self, task, awaitable):
        """Any thread. One wake-up of the loop serves a burst of these."""
        self.inbox.append((task, awaitable))
        if not self.scheduled:
            self.scheduled = True
            self.loop.call_soon_threadsafe(self._drain)

    def close(self):
        """Returns when everything that runs has answered, and the loop has ended."""
        self.loop.call_soon_threadsafe(self._stop)
        self.thread.join()

    def _main(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        if self.sweeper:
            self.sweeper.cancel()
            self.loop.run_until_complete(asyncio.gather(self.sweeper, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def _drain(self):
        self.scheduled = False
        while self.inbox:
            task, awaitable = self.inbox.popleft()
            self.running[task] = self.loop.create_task(self._drive(task, awaitable))
        if self.sweeper is None and self.running:
            self.sweeper = self.loop.create_task(self._sweep())

    def _stop(self):
        self._drain()
        if self.running:
            self.loop.call_later(SWEEP, self._stop)
        else:
            self.loop.stop()

    async def _sweep(self):
        while self.running:
            await asyncio.sleep(SWEEP)
            for task, running in list(self.running.items()):
                if _weft.cancelled(task):
                    running.cancel()
        self.sweeper = None

    async def _drive(self, task, awaitable):
        request = _Request(task)
        _request.set(request)
        try:
            if hasattr(awaitable, "__aiter__"):
                result = await self._stream(task, awaitable)
            else:
                result = await awaitable
            result = self.runtime.bytes_of(result)
        except BaseException as error:
            self._end(request)
            self.runtime.failed(task, error)
        else:
            self._end(request)
            _weft.respond(task, 0, result)

    async def _stream(self, task, parts):
        async for part in parts:
            _weft.respond_part(task, self.runtime.bytes_of(part))
            while _weft.unread_parts(task) >= UNREAD:
                await asyncio.sleep(PAUSE)

    # Before the answer: the task is gone with it, and its address may serve the next one.
    def _end(self, request):
        del self.running[request.task]
        request.task = None
