# SPDX-License-Identifier: BSD-3-Clause
"""Tables that strangers fill: what found no room is counted and said, what else is told stays true, and the secret by
which the tables are hashed, another one in each run, shows nowhere."""

import csv
import random
import signal
import struct
import subprocess
import sys

import pytest
from conftest import LIGHTSOUT, TOP

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import Server, needs_redis, until  # noqa: E402

FIRST = 1_750_000_020
CONFIGURATION = """
[lightsout]
sensor = x
[capture]
workers = {workers}
flows_max = {flows}
classify_max = {classified}
addresses_max = {addresses}
[watch 192.0.2.0/24]
[service known.example]
host = known.example
"""


def packet(seconds, protocol, source, destination, transport):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(transport), 0, 0, 60, protocol, 0, source, destination)
    micros = round(seconds * 1e6)
    size = len(ip) + len(transport)
    return struct.pack("<IIII", FIRST + micros // 1000000, micros % 1000000, size, size) + ip + transport


def segment(seconds, source, sport, destination, dport, flags, payload=b""):
    tcp = struct.pack(">HHIIBBHHH", sport, dport, 1 if flags & 2 else 2, 2 if flags & 16 else 0, 5 << 4, flags, 65535, 0, 0)
    return packet(seconds, 6, source, destination, tcp + payload)


def datagram(seconds, source, sport, destination, dport, payload):
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
    return packet(seconds, 17, source, destination, udp + payload)


def write(path, packets):
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + b"".join(packets))
    return path


def flood(count, seconds, payload=b""):
    """Forged sources, each once."""
    draw = random.Random(7)
    for i in range(count):
        source = struct.pack(">I", 0x08000000 + i * 31)
        host, port = bytes([192, 0, 2, draw.randrange(256)]), draw.randrange(1024, 65536)
        at = seconds * i / count
        yield (datagram(at, source, port, host, draw.randrange(1024, 65536), payload) if payload
               else segment(at, source, port, host, draw.randrange(65536), 2))


def visit(at, number):
    """A client of a web server within the watch list, from SYN to the answer to its request."""
    client, server = bytes([198, 51, 100, number]), bytes([192, 0, 2, 80 + number % 3])
    to, back = (client, 40000 + number, server, 80), (server, 80, client, 40000 + number)
    request = b"GET / HTTP/1.1\r\nHost: known.example\r\n\r\n"
    return [segment(at, *to, 2), segment(at + 0.01, *back, 18), segment(at + 0.02, *to, 16),
            segment(at + 0.03, *to, 24, request), segment(at + 0.04, *back, 24, b"HTTP/1.1 200 OK\r\n\r\n")]


def at_of(item):
    return struct.unpack("<II", item[:8])


@pytest.fixture
def replay(lightsout, tmp_path):
    def run(name, capture, workers=1, flows=1000, classified=100, addresses=1000, arguments=()):
        configuration, bins, records = (tmp_path / f"{name}.{kind}" for kind in ("conf", "csv", "ndjson"))
        configuration.write_text(CONFIGURATION.format(workers=workers, flows=flows, classified=classified,
                                                      addresses=addresses))
        run = lightsout("-r", capture, "-c", configuration, "-v", "--bins", bins, "--flows", records, *arguments)
        return run, bins, records

    return run


def cells(bins, scope, *columns):
    rows = [row for row in csv.DictReader(bins.open()) if row["scope"] == scope]
    return [sum(int(row[column] or 0) for row in rows) for column in columns]


def counted(run, words):
    """What -v says was counted."""
    found = [line for line in run.stderr.splitlines() if words in line]
    assert len(found) <= 1
    return int(found[0].split()[1]) if found else 0


@pytest.mark.parametrize("payload", [b"", b"\x01\x02\x03\x04"], ids=["SYNs", "datagrams"])
def test_a_flood_fills_tables_and_what_was_answered_is_told_as_without_it(replay, tmp_path, payload):
    visits = [item for number in range(200) for item in visit(number * 0.25, number)]
    quiet = write(tmp_path / "quiet.pcap", sorted(visits, key=at_of))
    stormy = write(tmp_path / "stormy.pcap", sorted([*visits, *flood(20000, 50, payload)], key=at_of))
    measures = "answered_flows", "answered_bursts", "proven_flows", "proven_bursts", "hosts"
    before, bins, _ = replay("quiet", quiet)
    wanted = [cells(bins, scope, *measures) for scope in ("all", "service:known.example")]
    assert wanted[0][0] == wanted[1][0] == wanted[0][2] == 200
    run, bins, records = replay("stormy", stormy)
    assert [cells(bins, scope, *measures[:4]) for scope in ("all", "service:known.example")] == [row[:4] for row in wanted]
    assert cells(bins, "service:known.example", "hosts") == wanted[1][4:]
    assert counted(run, "watched flows pushed out of a full table") > 15000
    assert counted(run, "addresses beyond the cap") > 15000
    assert (counted(run, "packets that found no room for the classification") > 10000) == bool(payload)
    assert run.stderr.count("hosts and peers are counted up to there") == 1
    assert "hosts and peers are counted" not in before.stderr
    # And once more, by another secret.
    again, bins_again, records_again = replay("again", stormy)
    assert (run.stderr, bins.read_bytes(), records.read_bytes()) == (
        again.stderr, bins_again.read_bytes(), records_again.read_bytes())


def test_records_of_very_many_flows_that_end_at_once_are_all_told(replay, tmp_path):
    count = 80000
    last = segment(200, bytes([198, 51, 100, 1]), 1, bytes([192, 0, 2, 1]), 1, 2)
    capture = write(tmp_path / "many.pcap", [*flood(count, 1), last])
    run, _, records = replay("many", capture, workers=2, flows=2 * count)
    assert len(records.read_text().splitlines()) == count + 1
    assert 0 < counted(run, "flow records that did not wait") < count
    run, _, records = replay("one", capture, flows=2 * count)
    assert len(records.read_text().splitlines()) == count + 1
    assert counted(run, "flow records that did not wait") == 0


@needs_redis
def test_names_in_redis_that_are_no_sensors_are_not_all_read(tmp_path):
    server = Server(tmp_path)
    server.start()
    process = None
    try:
        server.ask("SADD", "lightsout:sensors", *(f"nobody-{number}" for number in range(3000)))
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen([LIGHTSOUT, "--fuse", "--redis", server.url], stderr=said)
        assert until(lambda: len(server.ask("KEYS", "lightsout:{nobody-*}:bins")) == 2048)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert len(server.ask("KEYS", "lightsout:{nobody-*}:bins")) == 2048
        assert (tmp_path / "said").read_text().count("more than 2048 names in lightsout:sensors") == 1
    finally:
        if process is not None:
            process.kill()
            process.wait()
        server.stop()
