# SPDX-License-Identifier: MIT
"""A module as lua-resty-ffi has them: it gets addresses, and serves the queue in a thread of its own."""

import ctypes
import ctypes.util
import threading

host = ctypes.CDLL(None)
poll, get_req, respond = (
    getattr(host, "ngx_http_lua_ffi_" + name) for name in ("task_poll", "get_req", "respond"))
poll.restype = ctypes.c_void_p
poll.argtypes = [ctypes.c_void_p]
get_req.restype = ctypes.c_void_p
get_req.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
respond.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
malloc = host.malloc
malloc.restype = ctypes.c_void_p
malloc.argtypes = [ctypes.c_size_t]


def answer(task, config):
    size = ctypes.c_int()
    at = get_req(task, ctypes.byref(size))
    text = config + b":" + (ctypes.string_at(at, size.value) if at else b"")
    block = malloc(len(text))
    ctypes.memmove(block, text, len(text))
    respond(task, 0, block, len(text))


def serve(config_address, queue):
    config = ctypes.string_at(config_address) if config_address else b"none"

    def run():
        while True:
            task = poll(queue)
            if task is None:
                return
            answer(task, config)

    threading.Thread(target=run, daemon=True).start()
    return 0


def refuse(config_address, queue):
    return 7
