# SPDX-License-Identifier: BSD-3-Clause
"""The faults of soak_plan.py, each a context: what is done when it begins, and undone when it ends. A fault says itself
whose sight it takes (`soak.blind`)."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from redis_server import until
from soak_world import MODES

HERE = os.path.dirname(os.path.abspath(__file__))
FAULTS = {}


def fault(name):
    def enter(run):
        FAULTS[name] = contextlib.contextmanager(run)
        return run

    return enter


# --- on the wire ---


def mode(name):
    @fault(name)
    def strange(soak, _):
        soak.world.tell(name, "on")
        yield
        soak.world.tell(name, "off")


for each in MODES:
    mode(each)


def flood(soak, kind, seconds, rate):
    words = [soak.sender, "flood", kind, str(seconds), str(rate)]
    return subprocess.Popen([sys.executable, os.path.join(HERE, "soak_world.py"), *words], stdout=subprocess.DEVNULL)


@fault("syn-flood")
def syn_flood(soak, lasts):
    process = flood(soak, "syn", lasts, 2000)
    yield
    process.wait()


@fault("mute")
def mute(soak, _):
    with soak.blind("both", "mute"):
        soak.world.tell("mute", "on")
        yield
        soak.world.tell("mute", "off")


@fault("link-down")
def link_down(soak, _):
    with soak.blind("both", "link-down"):
        soak.ip("link set a0 down")
        yield
        soak.ip("link set a0 up")


@fault("link-lost")
def link_lost(soak, _):
    with soak.blind("both", "link-lost"):
        soak.ip("link set a1 down")
        yield
        soak.ip("link set a1 up")


@fault("renamed")
def renamed(soak, _):
    with soak.blind("both", "renamed"):
        soak.ip("link set a0 down")
        soak.ip("link set a0 name other0")
        soak.ip("link set other0 up")
        yield
        soak.ip("link set other0 down")
        soak.ip("link set other0 name a0")
        soak.ip("link set a0 up")


@fault("deleted")
def deleted(soak, _):
    with soak.blind("both", "deleted"):
        soak.ip("link del a0")
        yield
        soak.make_wire()


# --- the program ---


@fault("stop")
def stop(soak, _):
    with soak.blind("main", "stop"):
        soak.main.process.send_signal(signal.SIGSTOP)
        yield
        soak.main.process.send_signal(signal.SIGCONT)


@fault("overrun")
def overrun(soak, lasts):
    """More than the ring holds while nobody reads."""
    with soak.blind("both", "overrun"):
        soak.main.process.send_signal(signal.SIGSTOP)
        process = flood(soak, "bulk", lasts, 8000)
        yield
        process.wait()
        soak.main.process.send_signal(signal.SIGCONT)


@fault("kill")
def kill(soak, _):
    with soak.blind("main", "kill"):
        soak.main.kill()
        yield
        soak.main.start()


@fault("restart")
def restart(soak, _):
    with soak.blind("main", "restart"):
        soak.main.end()
        yield
        soak.main.start()


def reload(soak, configuration, word):
    before = soak.main.said().count(word)
    soak.main.configure(configuration)
    soak.main.process.send_signal(signal.SIGHUP)
    if not until(lambda: soak.main.said().count(word) > before, 10):
        soak.wrong("a reload that was not told", expected=word)


@fault("reload")
def reload_good(soak, _):
    soak.variant = not soak.variant
    reload(soak, soak.configuration(), "read again")
    yield


@fault("reload-broken")
def reload_broken(soak, _):
    try:
        reload(soak, soak.configuration() + "\n[detect]\nno_such_key = 1\n", "no_such_key")
        yield
    finally:
        soak.main.configure(soak.configuration())


# --- its outputs ---


@contextlib.contextmanager
def full(soak, name):
    """A disk without room for another page."""
    folder = soak.folder / name
    used = os.statvfs(folder)
    pages = used.f_blocks - used.f_bfree
    subprocess.run(["mount", "-o", f"remount,size={max(pages, 1) * used.f_frsize}", str(folder)], check=True)
    yield
    subprocess.run(["mount", "-o", f"remount,size={soak.DISK}", str(folder)], check=True)


def full_disk(name):
    @fault(f"full-{name}")
    def of(soak, _):
        with full(soak, name):
            yield


full_disk("events")
full_disk("state")


def full_until_restart(name):
    """A file that may miss no line is given up, until the next start."""

    @fault(f"full-{name}")
    def of(soak, _):
        with full(soak, name):
            yield
        with soak.blind("main", f"full-{name}"):
            soak.main.end()
            soak.main.start()


full_until_restart("bins")
full_until_restart("flows")


@fault("full-report")
def full_report(soak, _):
    """It is written at the end."""
    with soak.blind("main", "full-report"):
        with full(soak, "report"):
            soak.main.end()
            yield
        soak.main.start()


@fault("stuck-reader")
def stuck_reader(soak, _):
    soak.tail.stuck = True
    yield
    soak.tail.stuck = False


# --- Redis ---


@fault("redis-kill")
def redis_kill(soak, _):
    soak.server.kill()
    yield
    soak.server.start()


@fault("redis-stop")
def redis_stop(soak, _):
    soak.server.process.send_signal(signal.SIGSTOP)
    yield
    soak.server.process.send_signal(signal.SIGCONT)


def link(name):
    @fault(f"redis-{name}")
    def struck(soak, _):
        soak.proxy.mode = name
        if name == "cut":
            soak.proxy.hang_up()
        yield
        soak.proxy.mode = "pass"


for each in ("cut", "stall", "reset", "trickle"):
    link(each)

# --- the clock ---


@fault("clock")
def clock(soak, _):
    """Set forward or back, and right again."""
    soak.set_clock(soak.dice.choice((-15, -5, -1, 1, 5, 15)))
    yield
    soak.set_clock(0)


# --- who reads the page ---


def connect(soak):
    return socket.create_connection(("127.0.0.1", soak.main.port), timeout=0.2)


@fault("http-hang")
def http_hang(soak, _):
    """Clients that never finish their request, and such that never read the answer."""
    with contextlib.ExitStack() as links:
        for number in range(60):
            with contextlib.suppress(OSError):
                one = links.enter_context(connect(soak))
                one.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + (b"\r\n" if number % 2 else b"X: "))
        yield


@fault("http-many")
def http_many(soak, lasts):
    end = time.monotonic() + min(lasts, 1)
    while time.monotonic() < end:
        with contextlib.suppress(OSError), connect(soak) as one:
            one.sendall(os.urandom(40) if soak.dice.random() < 0.3 else b"GET /api/state HTTP/1.0\r\n\r\n")
            one.recv(100)
    yield
