# SPDX-License-Identifier: BSD-3-Clause
"""What the program is asked to do while memory, threads or files are refused, and what must come of it.

A session is a command with the files that it writes. It is run once as it is, and then, for an n, with the n-th request
refused, or with all from the n-th on. Whatever is refused: the program is not killed, and its exit status is 1 with a line
that says so, or 0 with everything that it would have written otherwise; what stands in the files are whole lines; and
the same command, run again without refusals, ends with what an undisturbed one would have written.
"""

import gzip
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "analysis" / "publish"))
from redis_server import Server  # noqa: E402

BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
LIGHTSOUT = os.environ.get("LIGHTSOUT", str(BUILD / "lightsout"))
SYNTH = os.environ.get("SYNTH", str(BUILD / "synth"))
STARVE = BUILD / "starve.so"
KINDS = ("memory", "thread", "ndpi", "file", "loading")  # in the order of the ledger
EVER = 2**63
HANG_S = 60

# GnuTLS, which serving pages brings along, is not needed by any.
SAYS_WHY = re.compile(r"memory|too many open files|files left|thread|Error in GnuTLS initialization", re.IGNORECASE)

CONFIGURATION = """[lightsout]
sensor = ix-1
step = 20
state_every = 0.02
[capture]
workers = {workers}
classify_max = {classify_max}
[redis]
drain = 2
list = yes
"""

# What memory holds that was given back, or not written yet, is spoilt for whoever reads it, and who writes beyond a piece's
# end, or gives it back twice, is ended. A sanitizer sees more, and ends the program with a status of its own.
SPOILT = {"LD_PRELOAD": f"{STARVE}:libc_malloc_debug.so.0", "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"}
SANITIZED = {"LD_PRELOAD": str(STARVE), "ASAN_OPTIONS": "verify_asan_link_order=0:exitcode=99", "UBSAN_OPTIONS": "exitcode=99"}

PLACES = """[watch 175.45.176.0/24]
[watch 175.45.177.0/24]
counted = no
[path north]
vlan = 101
[path south]
vlan = 102
[service kcna.kp]
host = *.kcna.kp
address = 175.45.176.71
"""


class Outcome(NamedTuple):
    status: int
    said: str
    asked: dict  # how often, of each kind
    refused: dict


class Broken(AssertionError):
    """What must not come of a refusal."""


def run(command, ledger, kind="memory", first=0, last=0, during=None, within=None):
    """Runs the command with the requests of a kind refused from `first` to `last`, counted from one. `during` is called
    with the process while it runs, `within` in it before it begins."""
    ledger.write_bytes(b"".join(struct.pack("<4Q", *((first, last) if kind == name else (0, 0)), 0, 0) for name in KINDS))
    environment = dict(os.environ, STARVE=str(ledger), **(SANITIZED if BUILD.name == "asan" else SPOILT))
    process = subprocess.Popen([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=within)
    try:
        if during is not None:
            during(process)
        stdout, stderr = process.communicate(timeout=HANG_S)
    except subprocess.TimeoutExpired:
        raise Broken("it hangs") from None
    finally:
        process.kill()
        process.communicate()
    numbers = struct.unpack(f"<{4 * len(KINDS)}Q", ledger.read_bytes())
    said = re.sub(r"(127\.0\.0\.1:)\d+", r"\1", stderr.decode(errors="replace"))  # whichever port was free
    return stdout, Outcome(process.returncode, said,
                                {name: numbers[4 * i + 2] for i, name in enumerate(KINDS)},
                                {name: numbers[4 * i + 3] for i, name in enumerate(KINDS)})


def first_half(packets):
    """How many bytes of a pcap file's packets are about half of them, whole packets."""
    at = 0
    while at < len(packets) // 2:
        at += 16 + struct.unpack_from("<I", packets, at + 8)[0]
    return at


def make_input(folder):
    """An evening with an outage, a table of its bins, a watch list and a configuration."""
    capture = folder / "evening.pcap"
    subprocess.run([SYNTH, "--pcap", capture, TOP / "tests/starve/evening.ini"], check=True)
    subprocess.run([SYNTH, "--bins", folder / "evening.csv", TOP / "tests/starve/evening.ini"], check=True)
    subprocess.run(["gzip", "-kn", capture], check=True)
    subprocess.run(["zstd", "-q", capture], check=True)
    (folder / "rotated").mkdir()
    head, rest = capture.read_bytes()[:24], capture.read_bytes()[24:]
    half = first_half(rest)
    (folder / "rotated" / "1.pcap").write_bytes(head + rest[:half])
    (folder / "rotated" / "2.pcap.gz").write_bytes(gzip.compress(head + rest[half:]))
    (folder / "watched").write_text("175.45.176.0/24\n175.45.177.0/24\n# the rest\n175.45.178.0/23\n")
    for name, workers, classify_max in (("conf1", 1, 1000), ("conf2", 2, 1000), ("bare", 1, 0)):  # bare: without nDPI
        (folder / name).write_text(CONFIGURATION.format(workers=workers, classify_max=classify_max))
    (folder / "places").write_text((folder / "bare").read_text() + PLACES)


class Session:
    """A command that writes to a folder, and goes on from there."""

    cut_back = ("events", "bins", "flows")  # files, which are the same in the end
    empty = ()  # of these
    kinds = KINDS

    def __init__(self, name, command):
        self.name, self.make_command = name, command

    def begin(self, source, folder):
        """Runs it undisturbed, to know what to expect."""
        self.source, self.folder = source, folder
        folder.mkdir()
        self.clear()
        stdout, outcome = self.run()
        assert outcome.status == 0, outcome.said
        self.told, self.said, self.asked = self.for_people(stdout), outcome.said, outcome.asked
        self.expected = self.written()
        self.gone_on = set()
        assert all(self.expected[name] for name in self.expected if name not in self.empty), "nothing that could be lost"

    def command(self):
        return self.make_command(self.source, self.folder)

    def run(self, *refused):
        return run(self.command(), self.folder / ".ledger", *refused)

    def clear(self):
        for path in self.folder.iterdir():
            path.unlink()

    def written(self):
        return {name: (self.folder / name).read_bytes() for name in self.cut_back if (self.folder / name).exists()}

    def for_people(self, stdout):
        report = self.folder / "report"
        return stdout, report.read_bytes() if report.exists() else None

    def check_whole(self):
        """No half lines, and nothing that would not have been written."""
        for name, text in self.written().items():
            if text and not text.endswith(b"\n"):
                raise Broken(f"{name} ends within a line")
            if not self.expected[name].startswith(text):
                raise Broken(f"{name} is not the beginning of what it should be")
            if name in ("events", "flows"):
                for line in text.splitlines():
                    json.loads(line)

    def refuse(self, kind, number, ever):
        """Refuses one request, or all from there on. Returns how the program ended."""
        self.clear()
        stdout, outcome = self.run(kind, number, EVER if ever else number)
        if "AddressSanitizer: CHECK failed: sanitizer_" in outcome.said:
            return outcome._replace(refused=dict.fromkeys(KINDS, 0))  # it was the sanitizer that asked
        if outcome.status not in (0, 1):
            raise Broken(f"status {outcome.status}: {outcome.said}")
        if outcome.status == 1 and not SAYS_WHY.search(outcome.said):
            raise Broken(f"it does not say why: {outcome.said!r}")
        self.check_whole()
        if outcome.status == 0:
            self.compare(self.written(), f"status 0 ({outcome.said!r})")
            if self.for_people(stdout) != self.told and not SAYS_WHY.search(outcome.said):
                raise Broken(f"status 0, and the summary or the report is another: {outcome.said!r}")
        if outcome.status == 0 and outcome.said != self.said and not SAYS_WHY.search(outcome.said):
            raise Broken(f"status 0, and {outcome.said!r}")
        if outcome.status == 1:
            self.go_on()
        return outcome

    def end(self):
        """Nothing is left running."""

    def left(self):
        """All that the next start finds."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir()) if path.name != ".ledger"}

    def go_on(self):
        """The next start, which the same remains have only one of."""
        if not (self.folder / "state").exists():
            Session.clear(self)  # before its first checkpoint nobody knows what a run has told
        remains = hashlib.sha256(repr(self.left()).encode()).digest()
        if remains in self.gone_on:
            return
        again = self.run()[1]
        if again.status != 0:
            raise Broken(f"the next start fails: {again.said!r}")
        self.compare(self.written(), "the next start")
        self.gone_on.add(remains)

    def compare(self, written, when):
        unlike = [name for name, text in self.expected.items() if written.get(name) != text]
        if unlike:
            raise Broken(f"{when}: {', '.join(unlike)} unlike what is expected")


class RedisSession(Session):
    """The same, with a server, whose stream must hold each event once and in order."""

    KEY = "lightsout-replay:{ix-1}:"

    def begin(self, source, folder):
        (folder.parent / "redis").mkdir()
        self.server = Server(folder.parent / "redis").start()
        super().begin(source, folder)

    def clear(self):
        super().clear()
        self.server.ask("FLUSHALL")

    def written(self):
        stream = [fields[fields.index("id") + 1] for _, fields in self.server.ask("XRANGE", self.KEY + "events", "-", "+")]
        return {**super().written(), "stream": "".join(f"{event}\n" for event in stream).encode()}

    def left(self):
        kept = {name: self.server.ask(*words) for name, words in {
            "seen": ("ZRANGE", self.KEY + "seen", "0", "-1"), "list": ("LRANGE", self.KEY + "list", "0", "-1")}.items()}
        return {**super().left(), **kept, "stream": self.written()["stream"]}

    def end(self):
        self.server.stop()


def files(folder, *names):
    return [word for name in names for word in (f"--{name}", folder / name)]


def replay(source, folder, capture, configuration="conf1", more=()):
    return [LIGHTSOUT, "-c", source / configuration, "-r", source / capture,
            *files(folder, "events", "bins", "flows", "state"), *more]


FEW = ("-w", "175.45.176.0/24", "--bin", "300")  # scopes and rows, which are all made alike


def sessions():
    """In the order in which they are worth while."""
    return [
        Session("check", lambda source, folder: [LIGHTSOUT, "--check", "-c", TOP / "samples/lightsout.conf",
                                                 "--watch-from", source / "watched"]),
        Session("replay", lambda source, folder: replay(source, folder, "evening.pcap.gz", more=(
            "--watch-from", source / "watched", *files(folder, "report"), "--http", "127.0.0.1:0"))),
        RedisSession("redis", lambda source, folder: replay(source, folder, "evening.pcap", "bare", more=(
            *FEW, "--redis", f"unix://{folder.parent}/redis/redis.sock"))),
        Session("two workers", lambda source, folder: replay(source, folder, "evening.pcap.zst", "conf2", more=FEW)),
        Session("directory", lambda source, folder: replay(source, folder, "rotated", "places", more=(
            "-f", "ip", "--from", "2025-09-02T18:00:30Z", "--bin", "300"))),
        Session("bins", lambda source, folder: [LIGHTSOUT, "-c", source / "conf1", "-b", source / "evening.csv",
                                                *files(folder, "events", "bins", "state", "report")]),
    ]
