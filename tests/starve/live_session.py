# SPDX-License-Identifier: BSD-3-Clause
"""The session of an interface: the program watches it, packets come, a signal ends it. A wire tells nothing twice, so what
must come of a refusal is less: every packet counted, or status 1 with a line that says why."""

import contextlib
import csv
import ctypes
import json
import os
import signal
import socket
import struct
import sys
import time

from sessions import LIGHTSOUT, TOP, Broken, Session, files, run

sys.path.insert(0, str(TOP / "tests"))
from namespace import Namespace  # noqa: E402

PACKETS = 60
PORT = 9109  # of a loopback of its own
READY_S = 30

CONFIGURATION = """[lightsout]
sensor = ix-1
user = root
bin = 1
step = 1
[capture]
workers = {workers}
classify_max = {classify_max}
"""


def enter(namespace):
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def within(namespace):
    with open("/proc/self/ns/net", "rb") as own:
        enter(namespace)
        try:
            yield
        finally:
            enter(own.fileno())


def packets(capture):
    """The first frames of a pcap file."""
    data, at, found = capture.read_bytes(), 24, []
    while len(found) < PACKETS:
        length = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return found


class LiveSession(Session):
    """In a network namespace of its own. Skips where that may not be made."""

    empty = ("events",)

    def __init__(self, name, workers, classify_max, *more):
        super().__init__(name, lambda source, folder: [
            LIGHTSOUT, "-c", source / "live.conf", "-i", "a0", *files(folder, "events", "bins", "flows", "state"),
            "--http", f"127.0.0.1:{PORT}", *more])
        self.configuration = CONFIGURATION.format(workers=workers, classify_max=classify_max)

    def begin(self, source, folder):
        self.space = Namespace("a", "b")
        self.inside = os.open(f"/proc/{self.space.holder.pid}/ns/net", os.O_RDONLY)
        self.space.run("ip link set lo up")
        (source / "live.conf").write_text(self.configuration)
        self.packets = packets(source / "evening.pcap")
        with within(self.inside):
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.wire.bind(("a1", 0))
        super().begin(source, folder)
        self.compare(None, "undisturbed")

    def end(self):
        self.wire.close()
        os.close(self.inside)
        self.space.close()

    def during(self, process):
        """Outputs are opened once the interface is."""
        late = time.monotonic() + READY_S
        while process.poll() is None and not (self.folder / "flows").exists():
            if time.monotonic() > late:
                raise Broken("it hangs at the start")
            time.sleep(0.002)
        for packet in self.packets:
            self.wire.send(packet)
        time.sleep(0.03)
        for path in ("/", "/metrics", "/api/state", "/healthz"):
            self.get(path)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)

    def get(self, path):
        """Asks for a page, which may not come."""
        with contextlib.suppress(OSError), within(self.inside), socket.socket() as asked:
            asked.settimeout(2)
            asked.connect(("127.0.0.1", PORT))
            asked.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            while asked.recv(65536):
                pass

    def run(self, *refused):
        return run(self.command(), self.folder / ".ledger", *refused, during=self.during, within=lambda: enter(self.inside))

    def check_whole(self):
        for name, text in self.written().items():
            if text and not text.endswith(b"\n"):
                raise Broken(f"{name} ends within a line")
            if name != "bins":
                for line in text.splitlines():
                    json.loads(line)

    def go_on(self):
        for name in self.cut_back:
            (self.folder / name).unlink(missing_ok=True)
        super().go_on()

    def compare(self, _, when):
        with open(self.folder / "bins", encoding="ascii") as table:
            rows = list(csv.DictReader(table))
        counted = sum(int(row[measure]) for row in rows for measure, scope in (
            ("packets_in", "tap"), ("packets_in", "all"), ("packets_out", "all")) if row["scope"] == scope)
        if counted != PACKETS:
            raise Broken(f"{when}: {counted} of {PACKETS} packets in the bins")
        flows = [json.loads(line) for line in (self.folder / "flows").read_text().splitlines()]
        told = sum(flow[side]["packets"] for flow in flows for side in ("source", "destination"))
        watched = sum(int(row["packets_in"]) + int(row["packets_out"]) for row in rows if row["scope"] == "all")
        if told != watched:
            raise Broken(f"{when}: {told} of {watched} packets in the flows")


def live_sessions():
    return [LiveSession("live", 1, 1000), LiveSession("live, shared", 2, 0, "-i", "b0", "-f", "ip")]
