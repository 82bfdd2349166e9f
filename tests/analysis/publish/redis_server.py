# SPDX-License-Identifier: BSD-3-Clause
"""A private redis-server on a unix socket in a folder of its own, a client that needs no library, and the driver."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("BUILD", TOP / "build"))
DRIVE = os.environ.get("DRIVE_PUBLISH", str(BUILD / "tests/analysis/publish/drive_publish"))
SCHEMA = TOP / "samples/events.schema.json"
KEY = "lightsout:{ix-1}:"

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


def until(condition, seconds=20):
    """Waits for the condition to hold and gives what it gave. A server may hang up meanwhile."""
    end = time.monotonic() + seconds
    while True:
        found = None
        with contextlib.suppress(ConnectionError):
            found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.02)


class ReplyError(Exception):
    """An error reply of the server."""


class Client:
    """As much of RESP as the tests need, over a socket's path or a port of the loopback."""

    def __init__(self, path):
        over_tcp = isinstance(path, int)
        self.socket = socket.socket(socket.AF_INET if over_tcp else socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", path) if over_tcp else str(path))
        self.file = self.socket.makefile("rb")

    def __call__(self, *arguments):
        self.send(*arguments)
        return self.reply()

    def send(self, *arguments):
        encoded = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
        self.socket.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in encoded))

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server is gone")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest.decode()

    def close(self):
        self.file.close()
        self.socket.close()


def free_port():
    """A port of the loopback on which nobody listens, nor on the one that a node of a cluster needs beside it; below
    those that the system gives to whoever connects."""
    while True:
        port = random.randrange(10000, 22000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10000))
            return port


class Server:
    """Started, killed and started again; keeps its append-only file."""

    def __init__(self, folder, *options):
        self.folder, self.options = folder, options
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder, "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", *self.options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert until(self.answers), "redis-server does not start"
        return self

    def answers(self):
        try:
            with contextlib.closing(Client(self.path)) as client:
                client("PING")
            return True
        except ReplyError as error:
            return "NOAUTH" in str(error)
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.path.unlink(missing_ok=True)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait()

    def ask(self, *arguments):
        with contextlib.closing(Client(self.path)) as client:
            return client(*arguments)

    def entries(self, key=KEY + "events"):
        """The stream as a list of dictionaries."""
        return [dict(zip(fields[::2], fields[1::2])) for _, fields in self.ask("XRANGE", key, "-", "+")]

    def ids(self, key=KEY + "events"):
        return [entry["id"] for entry in self.entries(key)]


class Drive:
    """The driver, line by line: what was asked for has been handed over when `do` returns."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([DRIVE, "--ack", *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def do(self, *lines):
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "ok\n"
        return self

    def end(self, timeout=60):
        """Closes the letterbox: the exit status and what was said on standard error."""
        _, said = self.process.communicate(timeout=timeout)
        return self.process.returncode, said

    def kill(self):
        self.process.kill()
        self.process.communicate()


def drive(lines, *arguments):
    """A whole run at once: the exit status and what was said."""
    done = subprocess.run([DRIVE, *map(str, arguments)], input="".join(line + "\n" for line in lines), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
    return done.returncode, done.stderr
