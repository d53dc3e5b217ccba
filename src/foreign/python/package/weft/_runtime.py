# SPDX-License-Identifier: MIT
"""A runtime: a module, or the object that its init made, whose functions answer requests."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import site
import sys
import threading
import time
import traceback
import types

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


def _file_of(module):
    file = getattr(getattr(module, "__spec__", None), "origin", None)
    return file and os.path.realpath(file)


# Modules whose name was taken by another folder's: by file, the name that they have instead.
_renamed = {}
_importing = threading.RLock()


def _own_name(name, file):
    """What the module of that name in that file is called in sys.modules."""
    known = sys.modules.get(name)
    if known is None or _file_of(known) == file:
        return name
    return _renamed.setdefault(file, "%s#%d" % (name, len(_renamed) + 2))


def _import_file(name, found):
    spec = importlib.util.spec_from_file_location(
        name, found.origin, submodule_search_locations=found.submodule_search_locations)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise


def _import(name, folders, reload=False):
    """The module of that name in the first of these folders that has it, else the one that import finds. A file is
    one module, and the files of two folders are two: the later one goes by another name."""
    package, dot, rest = name.partition(".")
    with _importing:
        found = importlib.machinery.PathFinder.find_spec(package, folders)
        if found and found.has_location:
            package = _own_name(package, os.path.realpath(found.origin))
        name = package + dot + rest
        known = name in sys.modules
        if found and found.has_location and package not in sys.modules:
            _import_file(package, found)
        module = importlib.import_module(name)
        if reload and known:
            module.__spec__.loader.exec_module(module)
        return module


def _is_imported(module, name, function):
    """Whether a module has this function of another one only because it uses it."""
    if name in getattr(module, "__all__", ()):
        return False
    if not isinstance(function, (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)):
        return False  # an object that the module has made
    home = getattr(function, "__module__", None) or module.__name__
    return not (home + ".").startswith(module.__name__ + ".")


class Runtime:
    def __init__(self, options):
        """options: a dict of lists of strings."""
        _prepare(options)
        self.functions = {}  # by name; _weft.serve looks here first
        self.loop = None
        self.lock = threading.Lock()
        self.function = options["function"][0] if "function" in options else None
        self.threads = int(options["threads"][0])
        module = _import(options["module"][0], options.get("path", []))
        init = getattr(module, "init", None)
        self.module = self.target = module
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
        imported = self.target is self.module and not self.function and _is_imported(self.module, wanted, function)
        if not callable(function) or imported:
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
    folders = [directory] if directory else []
    _prepare({"path": folders})
    unit = _import(name, folders, reload)
    return getattr(unit, function)(cfg_address, queue_address)
