#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the seeds of the fuzzers anew: tests/fuzz/make_seeds.py BUILD_FOLDER. They are committed; run it when a format
changes, or another golden capture should be among them."""

import gzip
import json
import random
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SEEDS = HERE / "seeds"
# In the order of the table in fuzz_decode.c.
LINK_TYPES = [1, 12, 0, 108, 113, 276, 9, 104, 107, 228, 229, 239, 117, 197, 219, 50, 51, 105, 127, 100]
RAW_OF_FILES = {101: 12}  # what the format calls raw has another number in libpcap


def packets_of(path):
    """(link type, seconds, bytes) of each packet of a pcap file of either byte order."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return
    link_type = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured, _ = struct.unpack(order + "4I", data[at:at + 16])
        yield RAW_OF_FILES.get(link_type, link_type), seconds + fraction / 1e6, data[at + 16:at + 16 + captured]
        at += 16 + captured


def write(target, name, data):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def seed_decode():
    for path in sorted((TOP / "tests" / "golden").glob("*.pcap")):
        for number, (link_type, _, frame) in enumerate(packets_of(path)):
            if link_type in LINK_TYPES and number < 2:
                write("decode", f"{path.stem}-{number}", bytes([LINK_TYPES.index(link_type), 0]) + frame)


def seed_frames():
    """The golden captures' Ethernet frames, a second apart, whole and cut: tags, tunnels, fragments."""
    ethernet = LINK_TYPES[0]
    found = [frame for path in sorted((TOP / "tests" / "golden").glob("*.pcap"))
             for link_type, _, frame in packets_of(path) if link_type == ethernet and len(frame) < 600]
    for part in range(4):
        frames = found[part::4]
        write("flow", f"frames-{part}", bytes([32 | part]) + b"".join(
            bytes([4]) + struct.pack(">H", (number % 2) << 15 | len(frame)) + frame for number, frame in enumerate(frames[:60])))
        write("flow", f"cut-{part}", bytes([32 | part]) + b"".join(
            bytes([4]) + struct.pack(">H", 0x4000 | min(len(frame), 60)) + frame[:60] for frame in frames[:60]))


def seed_flow(synth, folder):
    """Some minutes of the generator's talk, as bare IP; what it watches lies in 10.0.0.0/8."""
    capture = folder / "talk.pcap"
    subprocess.run([synth, "--pcap", capture, TOP / "tests" / "synth" / "example.ini"], check=True)
    text, now = bytearray(b"\0"), None
    for _, seconds, frame in packets_of(capture):
        at = 18 if frame[12:14] == b"\x81\x00" else 14
        ip = frame[at:]
        if frame[at - 2:at] != b"\x08\x00" or 10 not in (ip[12], ip[16]):
            continue
        passed = 0 if now is None else min(255, int((seconds - now) * 4))
        now = seconds if now is None or passed else now
        text += bytes([passed]) + struct.pack(">H", len(ip)) + ip
        if len(text) > 20000:
            break
    for number, options in enumerate((0, 1, 2, 4 | 8 | 16)):
        write("flow", f"talk-{number}", bytes([options]) + text[1:])


def seed_capture():
    plain = (TOP / "tests" / "golden" / "decode-ethernet.pcap").read_bytes()
    write("capture", "packed.gz", gzip.compress(plain, mtime=0))
    write("capture", "packed.zst", subprocess.run(["zstd", "-q", "-c"], input=plain, capture_output=True, check=True).stdout)


def seed_formats():
    """Every format of a capture, in both byte orders: the golden captures are all plain pcap."""
    sys.path.insert(0, str(TOP / "tests" / "mutate"))
    import mutants
    mixed = [packet for packets in mutants.contents()[:60:6] for packet in packets[:3] if len(packet.data) < 400]
    for name, order in (("little", "<"), ("big", ">")):
        for number in range(4):  # sections, interfaces, blocks without packets and simple ones come by chance
            written = mutants.write_pcapng(mixed, order, random.Random(number))
            for target in ("savefile", "capture"):
                write(target, f"pcapng-{name}-{number}", written.data)
        for form, magic in (("nanoseconds", 0xa1b23c4d), ("modified", 0xa1b2cd34)):
            write("savefile", f"{form}-{name}", mutants.write_pcap(mixed[:6], order, magic).data)


def seed_requests():
    for name, line in (("page", "GET / HTTP/1.1"), ("metrics", "GET /metrics HTTP/1.1"), ("state", "GET /api/state HTTP/1.1"),
                       ("life", "HEAD /healthz HTTP/1.0"), ("nothing", "GET /../etc/passwd HTTP/1.1"), ("post", "POST / HTTP/1.1")):
        write("http", name, f"{line}\r\nHost: localhost\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n".encode())
    write("http", "stranger", b"GET / HTTP/1.1\r\nHost: example.org\r\nOrigin: http://example.org\r\n\r\n")


def seed_answers():
    role = b"*3\r\n$6\r\nmaster\r\n:3129659\r\n*0\r\n"
    begin = {0: b"+OK\r\n", 3: b"+OK\r\n+OK\r\n"}  # named; authenticated before
    ends = {"taken": b"$15\r\n1749081600000-0\r\n" * 3,
            "errors": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n-NOPERM this user has no permissions\r\n",
            "lists": b"*2\r\n:1\r\n*3\r\n$-1\r\n*-1\r\n+x\r\n:-5\r\n",
            "moved": b"-MOVED 866 127.0.0.1:1\r\n-ASK 866 127.0.0.1:1\r\n",
            "cut": b"$15\r\n174908"}
    for options, start in begin.items():
        for name, end in ends.items():
            write("redis", f"{name}-{options}", bytes([options]) + start + role + end)
    write("redis", "replica", b"\0+OK\r\n*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:7\r\n")
    write("redis", "no-auth", b"\0-NOAUTH Authentication required.\r\n")


def seed_settings(lightsout):
    write("settings", "sample.conf", (TOP / "samples" / "lightsout.conf").read_bytes())
    shown = subprocess.run([lightsout, "--check"], capture_output=True, check=True).stdout
    write("settings", "embedded.conf", shown)
    write("settings", "prefixes", b"p# comment\n192.0.2.0/24\n2001:db8::/32\n10.0.0.1\n")
    write("settings", "delegated", b"d2|apnic|20250601|3|19830613|20250601|+1000\napnic|KP|ipv4|175.45.176.0|1024|20091221|"
                                   b"allocated\napnic|KP|ipv6|2001:db8::|32|20250101|allocated\napnic|KP|asn|131279|1|20091221|allocated\n")


def seed_states(lightsout, folder):
    """A table of bins, and the checkpoint of its study."""
    bins, state = folder / "bins.csv", folder / "state"
    sample = TOP / "samples" / "blackout-2025-06.pcap.zst"
    subprocess.run([lightsout, "-q", "-r", sample, "--bins", bins, "--bin", "3600", "-w", "175.45.176.0/24"], check=True)
    write("bins", "hourly.csv", bins.read_bytes())
    lines = bins.read_text().splitlines()
    columns = [re.split(",", line) for line in lines]
    wanted = [columns[0].index(name) for name in ("time", "scope", "answered_flows", "packets_in")]
    write("bins", "foreign.csv", "\n".join(",".join(row[i] for i in wanted) for row in columns[:120]).encode())
    subprocess.run([lightsout, "-q", "-r", sample, "--state", state, "--bin", "3600", "-w", "175.45.176.0/24"],
                   check=True)
    write("checkpoint", "file", state.read_bytes())
    write("checkpoint", "sound", b"s")
    for number, value in enumerate((bytes(8), b"\xff" * 8, b"\1" + bytes(7), struct.pack("<d", 1e300), struct.pack("<q", -1 << 62))):
        dice = random.Random(number)
        write("checkpoint", f"spoilt-{number}", b"s" + b"".join(dice.randbytes(3) + value for _ in range(8)))


def seed_fuse(bins):
    """Two sensors that see the same outage, see it late, do not see, or lose the road."""
    keys = ("time", "scope", "start", "end", "answered_flows", "signal", "expected", "low", "state", "detectable_s", "counted",
            "outage")
    scopes = [scope for scope in dict.fromkeys(bin_["scope"] for bin_ in bins) if scope.partition(":")[0] in ("all", "prefix", "tap")]
    bins = [{key: bin_[key] for key in keys if key in bin_} for bin_ in bins
            if bin_["scope"] in scopes and "2025-06-06T15" <= bin_["time"] <= "2025-06-07T05"]
    bins.sort(key=lambda bin_: (bin_["time"], scopes.index(bin_["scope"])))

    def lines(of_other, late="0"):
        for bin_ in bins:
            other = of_other(dict(bin_))
            yield "a" + ("l" if bin_["scope"] == "all" else "0") + json.dumps(bin_, separators=(",", ":"))
            if other:
                yield "b" + late + json.dumps(other, separators=(",", ":"))

    def up(bin_):
        bin_.pop("outage", None)
        return bin_ | {"state": "up"}

    def absurd(bin_):
        return bin_ | ({"outage": bin_["outage"] | {"recovered": 1e14, "cause": {"attack": 2, "unknown": -1}}} if "outage" in bin_ else {})

    for name, of_other, late in (("both", dict, "0"), ("late", dict, "@"), ("blind", lambda bin_: bin_ | {"state": "blind"}, "0"),
                                 ("road", up, "0"), ("ends", lambda bin_: bin_ if bin_["time"] < "2025-06-06T20" else None, "0"),
                                 ("absurd", absurd, "0"), ("leap", lambda bin_: bin_ | {"time": bin_["time"].replace("2025", "2099")}, "0")):
        write("fuse", name, "\n".join(lines(of_other, late)).encode())


def seed_delivery(lightsout, folder):
    """Bins as Redis has them, and the spool of a run that found no Redis."""
    sample = TOP / "samples" / "blackout-2025-06.pcap.zst"
    socket = folder / "redis.sock"
    config = folder / "conf"
    config.write_text("[redis]\ndrain = 10\n[lightsout]\nsensor = seed\n")
    command = [lightsout, "-q", "-c", config, "-r", sample, "--bin", "3600", "-w", "175.45.176.0/24", "--redis", f"unix://{socket}"]
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.05)
        subprocess.run(command, check=True)
        said = subprocess.run(["redis-cli", "-s", socket, "XRANGE", "lightsout-replay:{seed}:bins", "-", "+"], capture_output=True,
                              text=True, check=True).stdout
    finally:
        server.terminate()
        server.wait()
    bins = [line for line in said.splitlines() if line.startswith("{")]
    kept = {}  # one of each state of each scope
    for text in bins:
        bin_ = json.loads(text)
        kept.setdefault((bin_.get("scope"), bin_.get("state"), "outage" in bin_), text)
    for number, text in enumerate(kept.values()):
        write("bin_text", f"bin-{number}", text.encode())
    seed_fuse([json.loads(text) for text in bins])
    socket.unlink(missing_ok=True)
    config.write_text("[redis]\ndrain = 0\n[lightsout]\nsensor = seed\n")
    subprocess.run([*command, "--state", folder / "other"], check=False, stderr=subprocess.DEVNULL)
    spool = (folder / "other.spool").read_bytes()
    for options in (0, 1, 4):
        write("spool", f"waiting-{options}", bytes([options]) + spool)
    write("spool", "cut", b"\0" + spool[:-7])


def record(server, path, command, seconds):
    """What a Redis says to the one program that talks to it by way of a socket of that path, so long."""
    said = bytearray()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    program = subprocess.Popen([*command, "--redis", f"unix://{path}"], stderr=subprocess.DEVNULL)
    with listener, listener.accept()[0] as client, socket.socket(socket.AF_UNIX) as redis:
        redis.connect(str(server))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for ready in select.select([client, redis], [], [], 0.01)[0]:
                data = ready.recv(1 << 16)
                (redis if ready is client else client).sendall(data)
                if ready is redis:
                    said += data
    program.terminate()
    program.wait()
    return bytes(said)


def seed_fuser(lightsout, folder):
    """Sessions of a fuser with a Redis that has the bins of two sensors, without the first two answers."""
    socket_path, config = folder / "fused.sock", folder / "fused.conf"
    config.write_text("[lightsout]\nbin = 3600\n[fuse]\nlateness = 1800\n")
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket_path, "--save", ""], stdout=subprocess.DEVNULL)

    def ask(*words):
        return subprocess.run(["redis-cli", "-s", socket_path, *words], capture_output=True, check=True).stdout

    def add(sensor, hour, bin_):
        ask("SADD", "lightsout:sensors", sensor)
        ask("XADD", f"lightsout:{{{sensor}}}:bins", f"{1749254400000 + 3600000 * hour}-*", "time", "t", "scope", "s", "bin", bin_)

    def session(name):
        said = record(socket_path, folder / f"{name}.sock", [lightsout, "-c", config, "--fuse", "--sensor", "fused"], 1)
        write("fuser", name, said[said.index(b"*0\r\n") + 4:])

    try:
        while not socket_path.exists():
            time.sleep(0.05)
        lines = (SEEDS / "fuse" / "both").read_text().splitlines()
        for line in lines[:60]:
            bin_ = json.loads(line[2:])
            if bin_["scope"] in ("all", "tap"):
                add({"a": "ix-1", "b": "ix-2"}[line[0]], int(bin_["time"][11:13]), line[2:])
        session("first")
        for number, line in enumerate(lines[60:]):
            bin_ = json.loads(line[2:])
            add({"a": "ix-1", "b": "a sensor"}[line[0]], 48 + number, line[2:])
        add("ix-1", 200, "no JSON")
        add("of a name that is longer than any path's name may be, and so", 200, lines[0][2:])
        ask("XADD", "lightsout:{ix-2}:bins", "*", "something", "else")
        ask("SET", "lightsout:{no-stream}:bins", "text")
        ask("SADD", "lightsout:sensors", "no-stream")
        session("later")
    finally:
        server.terminate()
        server.wait()
    again = b"*2\r\n$10\r\n1795517692\r\n$1\r\n0\r\n" * 2
    write("fuser", "errors", again + b"-OOM command not allowed when used memory > 'maxmemory'.\r\n" * 20)
    write("fuser", "empty", again + b":0\r\n*0\r\n:0\r\n*0\r\n" * 20)
    write("fuser", "no-time", b"*2\r\n$19\r\n9223372036854775807\r\n$1\r\n0\r\n:0\r\n*0\r\n:0\r\n*1\r\n$1\r\na\r\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    seed_decode()
    seed_capture()
    seed_formats()
    seed_requests()
    seed_answers()
    seed_settings(build / "lightsout")
    with tempfile.TemporaryDirectory() as folder:
        seed_frames()
        seed_flow(build / "synth", Path(folder))
        seed_states(build / "lightsout", Path(folder))
        seed_delivery(build / "lightsout", Path(folder))
        seed_fuser(build / "lightsout", Path(folder))


if __name__ == "__main__":
    main()
