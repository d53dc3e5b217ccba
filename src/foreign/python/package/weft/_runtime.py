# SPDX-License-Identifier: MIT
"""A runtime: a module, or the object that its init made, whose functions answer requests."""

import importlib
import inspect
import os
import site
import sys
import threading
import time
import traceback

import _weft

_FAILED = 1  # the rc of an exception
# A stream stops for its reader at this many parts, and looks again after this time.
UNREAD, PAUSE = 64, 0.001
_NOT_THE_USERS = (os.path.dirname(__file__), os.path.dirname(importlib.__file__), "<frozen importlib")


def _prepare(options):
    if not hasattr(sys, "argv"):
        sys.argv = [""]
    for stream in (sys.stdout, sys.stderr):
        # This interpreter never ends, so it would not flush.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    for venv in options.get("venv", ()):
        _add_venv(venv)
    for path in reversed(options.get("path", ())):
        if path not in sys.path:
            sys.path.insert(0, path)


def _add_venv(venv):
    packages = os.path.join(venv, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    if not os.path.isdir(packages):
        raise FileNotFoundError("%s is no virtual environment of Python %d.%d" % ((venv,) + sys.version_info[:2]))
    before = list(sys.path)
    site.addsitedir(packages)
    # What it added goes in front: a venv's package hides the system's.
    sys.path[:] = [p for p in sys.path if p not in before] + before


class Runtime:
    def __init__(self, options):
        """options: a dict of lists of strings."""
        _prepare(options)
        self.functions = {}  # by name; _weft.serve looks here first
        self.loop = None
        self.lock = threading.Lock()
        self.function = options["function"][0] if "function" in options else None
        self.threads = int(options["threads"][0])
        module = importlib.import_module(options["module"][0])
        init = getattr(module, "init", None)
        self.target = module
        if callable(init):
            made = init(options["config"][0] if "config" in options else None)
            self.target = module if made is None else made

    def run(self, queue):
        """Serves until the queue ends. The calling thread is one of those that do."""
        others = [threading.Thread(target=_weft.serve, args=(self, queue), name="weft-python-%d" % i, daemon=True)
                  for i in range(1, self.threads)]
        for thread in others:
            thread.start()
        _weft.serve(self, queue)
        for thread in others:
            thread.join()
        if self.loop:
            self.loop.close()
        unload = getattr(self.target, "unload", None)
        if callable(unload):
            unload()

    def find(self, name):
        """The function that answers rt:name(request)."""
        wanted = self.function or name
        function = None if wanted.startswith("_") else getattr(self.target, wanted, None)
        if not callable(function):
            raise AttributeError("%s has no function %s" % (self.describe(), wanted))
        self.functions[name] = function
        return function

    def describe(self):
        return getattr(self.target, "__name__", None) or type(self.target).__name__

    def settle(self, task, result):
        """Answers with what a function returned when that was not just bytes."""
        if inspect.isawaitable(result) or hasattr(result, "__aiter__"):
            self._loop().submit(task, result)
        elif inspect.isgenerator(result):
            _weft.respond(task, 0, self.bytes_of(self._stream(task, result)))
        else:
            _weft.respond(task, 0, self.bytes_of(result))

    def failed(self, task, error):
        _weft.respond(task, _FAILED, text_of(error))

    @staticmethod
    def bytes_of(value):
        if value is None or type(value) is bytes:
            return value
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        raise TypeError("a function returned %s; weft takes bytes, str or None" % type(value).__name__)

    def _stream(self, task, generator):
        while True:
            try:
                part = next(generator)
            except StopIteration as end:
                return end.value
            _weft.respond_part(task, self.bytes_of(part))
            while _weft.unread_parts(task) >= UNREAD:
                time.sleep(PAUSE)
            if _weft.cancelled(task):
                return generator.close()

    def _loop(self):
        with self.lock:
            if self.loop is None:
                from weft._loop import Loop  # asyncio takes a while, and most modules do without

                self.loop = Loop(self)
            return self.loop


def text_of(error):
    """The traceback of an exception, without the frames of this package above the user's, in UTF-8."""
    at = error.__traceback__
    while at and at.tb_frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        at = at.tb_next
    lines = traceback.format_exception(type(error), error, at)
    return "".join(lines).rstrip("\n").encode("utf-8", "replace")


def call_seed(module, function, cfg_address, queue_address):
    """The seed's convention: the module serves the queue itself. Returns what its function did."""
    reload = module.endswith("?")
    directory, name = os.path.split(module.rstrip("?"))
    _prepare({"path": [directory] if directory else []})
    known = name in sys.modules
    unit = importlib.import_module(name)
    if reload and known:
        unit = importlib.reload(unit)
    return getattr(unit, function)(cfg_address, queue_address)
