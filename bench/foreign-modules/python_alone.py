# SPDX-License-Identifier: MIT
"""What Python itself needs: two of its threads that pass echoes through queues, and the bare call."""
import sys
import threading
import time
from queue import SimpleQueue

from echo_module import echo


def serve(requests, answers):
    while (request := requests.get()) is not None:
        answers.put(echo(request))


def call(n):
    for _ in range(n):
        echo(bytes(16))


def exchange(n, at_once):
    requests, answers = SimpleQueue(), SimpleQueue()
    thread = threading.Thread(target=serve, args=(requests, answers))
    thread.start()
    for _ in range(at_once):
        requests.put(bytes(16))
    for _ in range(n - at_once):
        answers.get()
        requests.put(bytes(16))
    for _ in range(at_once):
        answers.get()
    requests.put(None)
    thread.join()


name = sys.argv[1]
n = int(sys.argv[2])
work = {"call": call, "one": lambda n: exchange(n, 1), "many": lambda n: exchange(n, 64)}[name]
work(n // 10)
start = time.process_time()
work(n)
print("RESULT", name + "_there", (time.process_time() - start) / n * 1e6, "us")
