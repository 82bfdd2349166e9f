# SPDX-License-Identifier: BSD-3-Clause
"""Names that strangers choose (of hosts in packets, of files, of scopes in a table, in a server's words) reach people and
programs as text and never as commands: not for a terminal, not for a browser, not for a reader of JSON or metrics."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from html.parser import HTMLParser

import pytest
from conftest import LIGHTSOUT, SAMPLE, TOP

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import Server, needs_redis  # noqa: E402

scapy = pytest.importorskip("scapy.all")

# Ends of strings and tags, an escape sequence, one in a single character (U+009B), bytes that are no UTF-8.
EVIL = [b"<script>alert(1)</script>.kp", b'"};alert(1)//\\.kp', b"\x1b[31m\x1b]0;owned\x07.kp", b"a\xc2\x9b31mb.kp",
        b"\xff\xfe\xc0\xaf\xed\xa0\x80.kp", b"../../../../tmp/owned", b"%n%s${IFS}`id`.kp", b"x\r\nSet-Cookie: a=b", b"\x00\x01"]
# What a terminal would obey.
COMMANDS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


def tls_hello(name):
    names = b"\x00" + len(name).to_bytes(2, "big") + name
    extension = b"\x00\x00" + (len(names) + 2).to_bytes(2, "big") + len(names).to_bytes(2, "big") + names
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(extension).to_bytes(2, "big") + extension
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake


def dns_question(name):
    labels = b"".join(bytes([len(part)]) + part for part in name.split(b".") if part)
    return b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"


def flow(number, payload, port, udp=False):
    """A question to the watched side and an answer, a second apart from the others."""
    there = scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / scapy.IP(src="198.51.100.7", dst="175.45.176.10")
    back = scapy.Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / scapy.IP(src="175.45.176.10", dst="198.51.100.7")
    mine = 20000 + number
    if udp:
        packets = [there / scapy.UDP(sport=mine, dport=port) / payload,
                   back / scapy.UDP(sport=port, dport=mine) / (payload[:2] + b"\x81\x80" + payload[4:])]
    else:
        packets = [there / scapy.TCP(sport=mine, dport=port, flags="S", seq=1),
                   back / scapy.TCP(sport=port, dport=mine, flags="SA", seq=1, ack=2),
                   there / scapy.TCP(sport=mine, dport=port, flags="PA", seq=2, ack=2) / payload,
                   back / scapy.TCP(sport=port, dport=mine, flags="PA", seq=2, ack=2 + len(payload)) / b"HTTP/1.1 200 OK\r\n\r\n"]
    for i, packet in enumerate(packets):
        packet.time = 1700000000 + number + i / 100
    return packets


@pytest.fixture(scope="module")
def evil_capture(tmp_path_factory):
    """Each name as that of a request, of a TLS server and of a DNS question; the file has a name of the kind itself."""
    packets, number = [], 0
    for name in EVIL:
        request = b"GET / HTTP/1.1\r\nHost: " + name + b"\r\nUser-Agent: " + name + b"\r\n\r\n"
        for payload, port, udp in ((request, 80, False), (tls_hello(name), 443, False), (dns_question(name), 53, True)):
            packets += flow(number, payload, port, udp)
            number += 1
    folder = os.fsencode(tmp_path_factory.mktemp("evil"))
    path = folder + b"/<img src=x onerror=alert(1)>\x1b[31m\xc2\x9b1m\xff\n.pcap"
    scapy.wrpcap(os.fsdecode(path), packets)
    return path


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.handlers = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.handlers += [name for name, value in attributes if name.startswith("on") or (value or "").startswith("javascript:")]


def assert_harmless_page(text):
    page = Page(text)
    assert page.handlers == [] and "img" not in page.tags
    assert "<script>alert(1)" not in text and "<img src=x" not in text
    assert not COMMANDS.search(text.encode())


def whole_lines(data):
    """NDJSON: nothing a terminal obeys, and each line is an object."""
    assert not COMMANDS.search(data), COMMANDS.search(data)
    return [json.loads(line) for line in data.decode("utf-8").splitlines()]


def fetch(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=20) as answer:
        return answer.read()


@needs_redis
def test_names_in_packets_and_of_files_are_text_everywhere(evil_capture, tmp_path):
    server = Server(tmp_path).start()
    before = set(os.listdir("/tmp"))
    try:
        # Standard input is held open, so that the page is there to be looked at.
        process = subprocess.Popen(
            [LIGHTSOUT, "-r", evil_capture, "-r", "-", "-v", "--progress", "--events", tmp_path / "events", "--flows",
             tmp_path / "flows", "--report", tmp_path / "report.html", "--bins", tmp_path / "bins.csv", "--http", "127.0.0.1:0",
             "--redis", server.url, "--sensor", "<i>ix-1</i>"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(evil_capture_head(evil_capture))
        process.stdin.flush()
        line, said = b"", b""
        while b"status page" not in line:
            line = process.stderr.readline()
            assert line, said
            said += line
        address = line.decode().split("http://")[1].rstrip("/\n")
        pages = {path: fetch(address, path) for path in ("/", "/metrics", "/api/state", "/healthz")}
        out, rest = process.communicate(timeout=60)
        said += rest
        keys = server.ask("KEYS", "*")
        stored = repr([server.ask("HGETALL", key) for key in keys if key.endswith("state")]).encode()
    finally:
        server.stop()
    assert process.returncode == 0, said
    flows = whole_lines((tmp_path / "flows").read_bytes())
    domains = {record["destination"]["domain"] for record in flows if "domain" in record["destination"]}
    assert len(domains) >= 6, domains
    assert "<script>alert(1)</script>.kp" in domains and any("\x1b[31m" in name for name in domains)
    whole_lines((tmp_path / "events").read_bytes())
    for told in (out, said.replace(b"\r\x1b[K", b""), pages["/metrics"], (tmp_path / "bins.csv").read_bytes(), stored):
        assert not COMMANDS.search(told), told
    for state in ("/api/state", "/healthz"):
        assert json.loads(pages[state]) and not COMMANDS.search(pages[state])
    assert_harmless_page(pages["/"].decode())
    assert_harmless_page((tmp_path / "report.html").read_text())
    assert "&lt;img src=x" in pages["/"].decode() or "&#60;img src=x" in pages["/"].decode()
    assert b"<img src=x onerror=alert(1)>?[31m??1m??.pcap -" in out
    assert "owned" not in set(os.listdir("/tmp")) - before


def evil_capture_head(path):
    """The head of a capture and its first packet: enough to be taken for one."""
    with open(path, "rb") as file:
        head = file.read(24)
        record = file.read(16)
        return head + record + file.read(int.from_bytes(record[8:12], "little"))


SCOPE = b"service:<script>alert(1)</script>\x1b[31m\xc2\x9b1m\xff&'}"


@pytest.fixture(scope="module")
def evil_bins(tmp_path_factory):
    """The sample's table, with a scope that is called by such a name."""
    folder = tmp_path_factory.mktemp("bins")
    subprocess.run([LIGHTSOUT, "-r", SAMPLE, "-q", "--bins", folder / "real.csv"], check=True)
    rows = (folder / "real.csv").read_bytes().replace(b"service:kcna.kp", SCOPE)
    (folder / "evil.csv").write_bytes(rows)
    return folder / "evil.csv"


@needs_redis
def test_names_of_scopes_in_a_table_are_text_everywhere(evil_bins, tmp_path):
    server = Server(tmp_path).start()
    try:
        done = subprocess.run([LIGHTSOUT, "-b", evil_bins, "-v", "--events", tmp_path / "events", "--report",
                               tmp_path / "report.html", "--bins", tmp_path / "bins.csv", "--redis", server.url, "--sensor", "ix-1"],
                              capture_output=True, timeout=120, check=False)
        fields = server.ask("KEYS", "*")
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    assert any("state" in key for key in fields)
    assert not COMMANDS.search(done.stdout) and not COMMANDS.search(done.stderr)
    assert b"<script>alert(1)</script>?[31m??1m?&'}" in done.stdout
    text = (tmp_path / "events").read_bytes()
    assert b"script" in text and whole_lines(text)
    assert_harmless_page((tmp_path / "report.html").read_text())


class Rude(threading.Thread):
    """A Redis that answers everything with an error in colours."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
                with client:
                    while client.recv(4096):
                        client.sendall(b"-ERR \x1b[31m\xc2\x9b1m<b>no\x07\r\n" * 3)
            except OSError:
                pass


def test_a_server_s_words_are_text(tmp_path, lightsout):
    (tmp_path / "lightsout.conf").write_text("[redis]\ndrain = 1\n")
    done = subprocess.run([LIGHTSOUT, "-r", SAMPLE, "-q", "-c", tmp_path / "lightsout.conf", "--redis",
                           f"redis://127.0.0.1:{Rude().port}"], capture_output=True, timeout=120, check=False)
    assert done.returncode == 1
    assert b"<b>no" in done.stderr
    assert not COMMANDS.search(done.stderr), done.stderr
