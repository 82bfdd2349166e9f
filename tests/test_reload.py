# SPDX-License-Identifier: BSD-3-Clause
"""SIGHUP: the settings read again while packets come. What is told to the program is made here, a packet at a time, so
that it is known what each minute must say."""

import csv
import json
import os
import signal
import socket
import struct
import subprocess
import sys

import pytest
from conftest import LIGHTSOUT, TOP
from namespace import Namespace

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import KEY, Server, needs_redis, until  # noqa: E402

BEGIN = 1750000020  # a whole minute
STAYS, GOES, COMES = "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"
CONFIGURATION = """
[lightsout]
sensor = ix-1
[capture]
workers = WORKERS
[detect]
learn_time = 60
[watch {}]
[watch {}]
"""
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
PORT = 4000


def packet(at, source, target, ports):
    """A record of a savefile: a UDP datagram at a time in seconds."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 32, 1, 0, 60, 17, 0, socket.inet_aton(source), socket.inet_aton(target))
    frame = bytes(12) + b"\x08\x00" + ip + struct.pack(">HHHH", *ports, 12, 0) + b"data"
    return struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame


def talk(at, host, port):
    """A question to a host and its answer."""
    return (packet(at, "11.0.0.1", host, (port, 7)) + packet(at + 0.01, host, "11.0.0.1", (7, port)))


def minute(number):
    """Every second each network has an answered flow of its own, and one that lasts; and something else comes by. Ten
    packets of the two networks watched, four of the third, one of nobody's."""
    bytes_ = b""
    for second in range(60):
        at = BEGIN + 60 * number + second
        for place, network in enumerate((STAYS, GOES, COMES)):
            host = network.rpartition(".")[0]
            bytes_ += talk(at + 0.1 * place, host + ".1", 9999)
            bytes_ += talk(at + 0.1 * place + 0.05, host + ".2", PORT + number * 60 + second)
        bytes_ += packet(at + 0.5, "11.0.0.1", "12.0.0.1", (1, 2))
    return bytes_


class Fed:
    """The program, fed minute by minute."""

    def __init__(self, folder, *arguments, workers=1, **options):
        self.workers = workers
        self.configuration, self.said = folder / "lightsout.conf", folder / "said"
        self.bins, self.flows = folder / "bins.csv", folder / "flows"
        self.write(CONFIGURATION.format(STAYS, GOES))
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [LIGHTSOUT, "-r", "-", "-c", self.configuration, "--bins", self.bins, "--flows", self.flows, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, **options)
        self.process.stdin.write(HEADER)
        self.minutes = 0

    def feed(self, minutes=1):
        for _ in range(minutes):
            self.process.stdin.write(minute(self.minutes))
            self.process.stdin.flush()
            self.minutes += 1

    def feed_until_said(self, words):
        for _ in range(1000):
            if words in self.said.read_text():
                return
            self.feed()
        pytest.fail(f"never said: {words}: {self.said.read_text()}")

    def rows(self):
        """Those that are whole by now."""
        whole = self.bins.read_text().rpartition("\n")[0] if self.bins.exists() else ""
        return list(csv.DictReader(whole.splitlines()))

    def write(self, configuration):
        self.configuration.write_text(configuration.replace("WORKERS", str(self.workers)))

    def hang_up(self, configuration):
        """Once all has been read that was fed."""
        assert until(lambda: len({row["time"] for row in self.rows()}) >= self.minutes - 1, 60)
        self.write(configuration)
        self.process.send_signal(signal.SIGHUP)

    def end(self, status=0):
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == status
        with self.bins.open() as file:
            rows = list(csv.DictReader(file))
        assert len({row["time"] for row in rows}) == self.minutes
        return rows


@pytest.fixture(params=[1, 3], ids=["alone", "three workers"])
def fed(tmp_path, request):
    begun = Fed(tmp_path, workers=request.param)
    yield begun
    begun.process.kill()
    begun.process.wait()


def of(rows, scope):
    return [row for row in rows if row["scope"] == scope]


def total(rows, *measures):
    return sum(int(row[measure]) for row in rows for measure in measures)


def test_another_watch_list_holds_from_a_bin_on_and_no_packet_is_lost(fed):
    fed.feed(10)
    fed.hang_up(CONFIGURATION.format(STAYS, COMES) + "[service echo]\nport = 7\naddress = 192.0.2.2\n")
    fed.feed_until_said("read again: 5 scopes")
    fed.feed(10)
    rows = fed.end()

    # Every minute says of every packet where it belongs, whichever the list was.
    assert total(of(rows, "all") + of(rows, "tap"), "packets_in", "packets_out") == fed.minutes * 60 * 13
    for scope in ("all", "tap"):
        assert {total([row], "packets_in", "packets_out") for row in of(rows, scope)} == {60 * (8 if scope == "all" else 5)}
    # One list after the other.
    before, after = of(rows, f"prefix:{GOES}"), of(rows, f"prefix:{COMES}")
    assert len(before) >= 8 and len(after) >= 10
    assert [row["time"] for row in before + after] == [row["time"] for row in of(rows, f"prefix:{STAYS}")]
    assert [row["time"] for row in of(rows, "service:echo")] == [row["time"] for row in after]
    # The flow that lasts is begun and answered once, and goes on to be one. What was learned is known on.
    stays = of(rows, f"prefix:{STAYS}")
    for measure in ("flows", "answered_flows"):
        assert [int(row[measure]) for row in stays] == [61] + [60] * (fed.minutes - 1)
    at = len(before)
    assert stays[at - 1]["state"] == stays[at]["state"] == "up" and stays[at]["expected"] != ""
    assert after[0]["state"] == "learning" and after[-1]["state"] == "up"
    # Half of what all prefixes showed is another's now: that is learned anew.
    assert of(rows, "all")[at]["state"] == "learning"
    records = [json.loads(line) for line in fed.flows.read_text().splitlines()]
    lasting = {record["lightsout"].get("prefix"): record for record in records if record["source"]["port"] == 9999}
    assert {name: record["source"]["packets"] for name, record in lasting.items()} == {
        STAYS: 60 * fed.minutes, GOES: 60 * len(before), COMES: 60 * len(after)}


def test_a_prefix_more_leaves_what_was_learned_of_all_as_it_is(fed):
    fed.feed(10)
    fed.hang_up(CONFIGURATION.format(STAYS, GOES) + f"[watch {COMES}]\n")
    fed.feed_until_said("read again: 5 scopes are followed\n")
    fed.feed(3)
    rows = of(fed.end(), "all")
    assert [row["state"] for row in rows[2:]] == ["up"] * (len(rows) - 2)


def test_a_bad_file_is_refused_with_one_line_and_the_old_one_stays(fed):
    fed.feed(3)
    fed.hang_up(CONFIGURATION.format(STAYS, COMES) + "[watch 10.0.0.1/8]\n")
    fed.feed_until_said("what was in force stays")
    fed.configuration.unlink()
    fed.process.send_signal(signal.SIGHUP)
    fed.feed_until_said("No such file or directory: what was in force stays")
    fed.feed(3)
    rows = fed.end()
    assert [line for line in fed.said.read_text().splitlines()] == [
        f"lightsout: {fed.configuration}:10: 10.0.0.1/8 has bits beyond its length: 10.0.0.0/8?: what was in force stays",
        f"lightsout: configuration {fed.configuration}: No such file or directory: what was in force stays"]
    assert len(of(rows, f"prefix:{GOES}")) == fed.minutes and not of(rows, f"prefix:{COMES}")


@pytest.mark.parametrize("make, words", [
    (lambda path: path.mkdir(), "lightsout: configuration "),
    (lambda path: path.write_bytes(b""), None),
    (lambda path: path.write_bytes(bytes(range(256)) * 1000), "no text"),
    (lambda path: path.write_bytes(CONFIGURATION.format(STAYS, COMES).encode().replace(b"ix-1", b"ix\0-1")), "no text"),
    (lambda path: path.write_text("x" * 10_000_000), "longer than"),
    (lambda path: path.write_text("key = value\n" * 500_000), "before the first [section]"),
    (lambda path: path.symlink_to(path), "symbolic links"),
    (os.mkfifo, "no regular file, and others are read at the start only"),
    (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
    (lambda path: (path.touch(), os.truncate(path, 2**40)), "larger than 64 MiB"),
    (lambda path: path.write_text(f"[redis]\nurl = redis://x\npassword_file = {path}.pipe\n"), "no regular file"),
], ids=["a directory", "empty", "binary", "a byte of zero", "one long line", "many lines", "a loop", "a pipe", "a device", "huge",
        "a password's pipe"])
def test_whatever_stands_in_place_of_the_file_leaves_the_old_one_in_force(fed, make, words):
    fed.feed(2)
    fed.configuration.unlink()
    os.mkfifo(f"{fed.configuration}.pipe")
    make(fed.configuration)
    fed.process.send_signal(signal.SIGHUP)
    fed.feed_until_said(f"{words}" if words else "read again")
    fed.feed(2)
    rows = fed.end()
    if words:
        assert fed.said.read_text().endswith("what was in force stays\n") and fed.said.read_text().count("\n") == 1
        assert len(of(rows, f"prefix:{GOES}")) == fed.minutes


def test_what_cannot_change_while_it_runs_is_named(fed):
    fed.feed(3)
    fed.hang_up("[capture]\nflows_max = 5\n" + CONFIGURATION.format(STAYS, COMES).replace("sensor = ix-1", "bin = 30"))
    fed.feed_until_said("read again")
    fed.feed(3)
    rows = fed.end()
    assert "lightsout: sensor, bin, flows_max: takes effect with the next start\n" in fed.said.read_text()
    assert len(of(rows, f"prefix:{STAYS}")) == fed.minutes  # a row a minute
    assert len(of(rows, f"prefix:{COMES}")) >= 3


def test_a_watch_list_that_came_by_a_pipe_is_not_taken_for_an_empty_one(tmp_path):
    ends = os.pipe()
    os.write(ends[1], f"{STAYS}\n".encode())
    os.close(ends[1])
    fed = Fed(tmp_path, "--watch-from", f"/dev/fd/{ends[0]}", pass_fds=[ends[0]])
    os.close(ends[0])
    try:
        fed.feed(2)
        fed.process.send_signal(signal.SIGHUP)
        fed.feed_until_said(f"watch list /dev/fd/{ends[0]}: no regular file")
        assert len(of(fed.end(), f"prefix:{STAYS}")) == fed.minutes
    finally:
        fed.process.kill()
        fed.process.wait()


@needs_redis
def test_the_hash_of_states_follows_the_scopes(tmp_path):
    server = Server(tmp_path).start()
    fed = Fed(tmp_path, "--redis", server.url, "--redis-prefix", "lightsout:")
    try:
        fed.feed(3)
        assert until(lambda: f"prefix:{GOES}" in server.ask("HKEYS", KEY + "state"))
        fed.hang_up(CONFIGURATION.format(STAYS, COMES))
        fed.feed_until_said("read again")
        fed.feed(2)
        fed.end()
        assert set(server.ask("HKEYS", KEY + "state")) == {"all", f"prefix:{STAYS}", f"prefix:{COMES}", "tap"}
        told = [entry["scope"] for entry in server.entries(KEY + "bins")]
        assert told.count(f"prefix:{STAYS}") == fed.minutes == told.count(f"prefix:{GOES}") + told.count(f"prefix:{COMES}")
    finally:
        fed.process.kill()
        fed.process.wait()
        server.stop()


# Sends N watched packets at a pace: send.py IFACE COUNT PER_S.
SEND = """
import socket, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
frame = bytes.fromhex(sys.argv[4])
begin = time.monotonic()
for number in range(int(sys.argv[2])):
    wait = begin + number / float(sys.argv[3]) - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    out.send(frame)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_list_read_again_on_the_wire_costs_no_packet(tmp_path, workers):
    space = Namespace("a")
    prefixes, configuration, bins = tmp_path / "list", tmp_path / "lightsout.conf", tmp_path / "bins.csv"
    prefixes.write_text(f"{STAYS}\n" + "".join(f"{i >> 8 & 255 | 16}.{i >> 16}.{i & 255}.0/24\n" for i in range(0, 200000, 3)))
    configuration.write_text(f"[lightsout]\nbin = 1\nstep = 1\n[capture]\nworkers = {workers}\n")
    said = tmp_path / "said"
    frame = packet(0, "11.0.0.1", "192.0.2.1", (PORT, 7))[16:]
    with said.open("w") as file:
        process = subprocess.Popen(space.command(LIGHTSOUT, "-i", "a0", "-c", configuration, "--watch-from", prefixes,
                                                 "--bins", bins), stderr=file)
    try:
        assert until(bins.exists)
        sender = subprocess.Popen(space.command(sys.executable, "-c", SEND, "a1", 40000, 10000, frame.hex()))
        for times in range(1, 3):
            process.send_signal(signal.SIGHUP)
            assert until(lambda: said.read_text().count("read again: 2 scopes") == times)
        assert sender.wait(timeout=60) == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        with bins.open() as file:
            rows = list(csv.DictReader(file))
        assert total(of(rows, "all"), "packets_in") == 40000
        assert total(of(rows, "all"), "drops") == 0 and total(of(rows, "all"), "flows") == 1
    finally:
        process.kill()
        process.wait()
        space.close()
