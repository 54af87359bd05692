# SPDX-License-Identifier: Apache-2.0
"""Misbehaves as the request says: {"do": NAME}; {} is answered with the worker's process id."""
import json
import os
import signal
import subprocess
import sys
import time

LEAK = []


def init():
    pass


def flood(order):
    end = time.monotonic() + order["s"]
    while time.monotonic() < end:
        sys.stdout.write("flood " * 100 + "\n")
    return "flooded"


def leak(order):
    LEAK.append(bytearray(b"x") * (order["mb"] << 20))
    time.sleep(order.get("s", 0))
    return len(LEAK)


def run(data):
    order = json.loads(data)
    what = order.get("do")
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "exit":
        os._exit(4)
    if what == "hang":
        while True:
            time.sleep(0.01)
    if what == "sleep":
        time.sleep(order["s"])
    if what == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(order["s"])
    if what == "child":
        return subprocess.Popen(["sleep", "1000"]).pid
    if what == "close":
        os.close(order["fd"])
    if what == "size":
        return "x" * order["n"]
    if what == "garbage":
        for fd in range(3, 32):
            try:
                os.write(fd, b"\xff" * 64)
            except OSError:
                pass
        time.sleep(5)
    if what == "flood":
        return flood(order)
    if what == "leak":
        return leak(order)
    if what == "length":
        return len(order["text"])
    return os.getpid()
