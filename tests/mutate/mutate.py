#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plays mutated captures and tables of bins to the whole program: tests/mutate/mutate.py BUILD_FOLDER FIRST COUNT [JOBS]

The build should be one with sanitizers. A mutant, and how it is played, follow from its number alone. Of each it is asked
that the program ends in time and by itself, that no sanitizer says anything, that what it refuses is named with the file
and what it cuts short with the offset, that all it wrote is whole, and that it counted what libpcap counts. Of some also that
two workers say what one says, and that a capture that is cut off says what its whole packets say. What fails is left in
BUILD_FOLDER/mutants, and the exit status is 1.
"""

import csv
import ctypes
import html.parser
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mutants

LATE_S, ROOM_KIB = 10, 600 * 1024
GROUP = 8  # mutants whose numbers belong together
# A sanitizer's word ends a run with this.
SANITIZERS = {"ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:exitcode=77:abort_on_error=0",
              "LSAN_OPTIONS": "exitcode=77", "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=77"}

RULES = """
[watch 192.0.2.0/24]
[watch 10.0.0.0/8]
label = ten
[watch 175.45.176.0/22]
[watch 203.0.113.0/24]
counted = no
[watch 2001:db8::/33]
[path one]
vlan = 100 7
vni = 4242
[path two]
mpls = 1017 16
gre = 7
[path three]
mac = 02:00:00:00:01:02
[service names]
host = *.kp *.example.net
port = 53
[service web]
address = 192.0.2.80
port = 80 443
[detect]
learn_flows = 20
"""
LAYOUTS = {
    "one": "[capture]\nworkers = 1\n",
    "two": "[capture]\nworkers = 2\n",
    "small": "[capture]\nworkers = 1\ndeduplicate = yes\nflows_max = 16\nclassify_max = 4\naddresses_max = 16\nsampling = 10\n",
    "outer": "[capture]\nworkers = 2\ndecapsulate = no\ndeduplicate = yes\n",
}
OUTPUTS = ("events", "bins", "flows", "report")


class Broken(Exception):
    """What was asked for and did not come."""


def ask(holds, *words):
    if not holds:
        raise Broken(" ".join(map(str, words)))


# ---- what is looked at ----

VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr"}


class Nesting(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag in ("p", "li", "td", "th", "tr") or tag in VOID:
            while self.open and self.open[-1] != tag:
                ask(self.open[-1] in ("p", "li", "td", "th", "tr"), "report: </", tag, "> within", self.open[-1])
                self.open.pop()
        ask(self.open and self.open[-1] == tag, "report: </", tag, "> closes", self.open[-1:])
        self.open.pop()


def look_at_report(path):
    text = path.read_bytes().decode()
    nesting = Nesting()
    nesting.feed(text)
    ask(not nesting.open, "report: never closed:", nesting.open)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    if data:  # there is none where nothing was measured
        json.loads(data[1])


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def look_at_lines(path, wanted):
    text = path.read_bytes().decode()
    ask(text == "" or text.endswith("\n"), path.name, "ends within a line")
    for line in text.splitlines():
        ask(wanted in json.loads(line, parse_constant=no_constant), path.name, "without", wanted, line[:200])


WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def look_at_bins(path):
    text = path.read_bytes().decode()
    ask(text == "" or text.endswith("\n"), "bins end within a line")
    head = None
    for row in csv.reader(text.splitlines()):
        head = head or row
        ask(len(row) == len(head), "bins: a row of", len(row), "columns below", len(head))
        ask(row is head or WHEN.fullmatch(row[0]), "bins: a row at", row[0])
        ask(not {"nan", "inf", "-nan", "-inf"} & set(row), "bins: no number in", row)


class PacketHeader(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("microseconds", ctypes.c_long), ("captured", ctypes.c_uint32), ("length", ctypes.c_uint32)]


def libpcap():
    library = ctypes.CDLL("libpcap.so.0.8")
    library.pcap_open_offline.restype = ctypes.c_void_p
    library.pcap_open_offline.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    library.pcap_next_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.pcap_close.argtypes = [ctypes.c_void_p]
    return library


LIBPCAP = libpcap()


def counted_by_libpcap(path):
    """How many packets libpcap finds before it stops; None: it does not open the file."""
    words = ctypes.create_string_buffer(256)
    opened = LIBPCAP.pcap_open_offline(str(path).encode(), words)
    if not opened:
        return None
    header, data, count = ctypes.c_void_p(), ctypes.c_void_p(), 0
    while LIBPCAP.pcap_next_ex(opened, ctypes.byref(header), ctypes.byref(data)) == 1:
        count += 1
    LIBPCAP.pcap_close(opened)
    return count


# ---- one run ----

# What a terminal would obey, and bytes that are no UTF-8.
OBEYED = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


class Run:
    """How a run ended, and what it said and wrote."""

    def __init__(self, folder, inputs, named, said):
        how, number, took_ms, room_kib = said.split()
        self.folder, self.inputs, self.named = folder, inputs, named
        self.how, self.status, self.took_ms, self.room_kib = how, int(number), float(took_ms), int(room_kib)
        self.errors = (folder / "errors").read_bytes().decode(errors="surrogateescape")

    def written(self):
        return {name: path.read_bytes() if (path := self.folder / name).exists() else None for name in OUTPUTS if name != "report"}

    def written_in_any_order(self):
        """Several workers give the flows that end together in another order."""
        return {name: sorted(text.splitlines()) if name == "flows" and text else text for name, text in self.written().items()}

    def packets(self):
        found = re.search(r"^lightsout: (\d+) packets? delivered by the sources$", self.errors, re.MULTILINE)
        return int(found[1]) if found else 0

    def look(self):
        """At everything that holds of any run."""
        ask(self.how == "exit", "it ended by", self.how, self.status, self.errors[-3000:])
        ask("Sanitizer" not in self.errors and "runtime error" not in self.errors and self.status != 77, self.errors[-3000:])
        ask(self.status in (0, 1), "exit status", self.status, self.errors[-1000:])
        ask(self.room_kib < ROOM_KIB, "it took", self.room_kib, "KiB")
        lines = self.errors.removesuffix("\n").split("\n") if self.errors else []
        ask(all(line.startswith("lightsout: ") and not OBEYED.search(line) for line in lines), "standard error:", self.errors[-1000:])
        damaged = [line for line in lines if "damaged or cut off" in line]
        if self.status == 1:
            ask(any(str(path) in line for path in self.named for line in lines), "no file is named:", self.errors[-1000:])
        else:
            ask(not damaged, "damaged, and exit status 0:", self.errors[-1000:])
        ask(all(re.search(r" at byte \d+", line) for line in damaged), "no offset:", damaged)
        for name, look in (("events", lambda path: look_at_lines(path, "@timestamp")), ("flows", lambda path: look_at_lines(path, "source")),
                           ("bins", look_at_bins), ("report", look_at_report)):
            path = self.folder / name
            if path.exists():
                try:
                    look(path)
                except (ValueError, TypeError, IndexError, csv.Error) as error:
                    raise Broken(f"{name}: {error!r}") from None


class Player:
    """The driver, and a folder to work in."""

    def __init__(self, build, late_s=LATE_S):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="mutate-", dir=base))
        self.inputs = self.folder / "in"
        self.inputs.mkdir()
        for name, text in LAYOUTS.items():
            (self.folder / name).write_text(text + RULES)
        self.build = build
        self.driver = subprocess.Popen([build / "tests" / "mutate" / "drive_mutant", str(late_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True, env=dict(os.environ, **SANITIZERS))

    def close(self):
        self.driver.stdin.close()
        self.driver.wait()
        shutil.rmtree(self.folder)

    def put(self, name, data):
        (self.inputs / name).write_bytes(data)
        return self.inputs / name

    def clear(self):
        for path in self.inputs.iterdir():
            path.unlink()

    def play(self, inputs, layout, options=(), leaks=False, directory=False):
        out = self.folder / "out"
        out.mkdir(exist_ok=True)
        for name in OUTPUTS:
            (out / name).unlink(missing_ok=True)
        reads = ["-r", str(self.inputs)] if directory else [word for path in inputs for word in ("-b" if path.suffix == ".csv" else "-r", str(path))]
        outputs = [word for name in OUTPUTS for word in (f"--{name}", str(out / name))]
        words = ["leaks" if leaks else "-", out / "said", out / "errors", *reads, "-c", self.folder / layout, *outputs, "--sensor", "m",
                 "-v", *options]
        self.driver.stdin.write("\t".join(map(str, words)) + "\n")
        self.driver.stdin.flush()
        return Run(out, inputs, [*inputs, self.inputs] if directory else inputs, self.driver.stdout.readline())


# ---- one mutant ----

def options_of(chance):
    options = []
    if chance.random() < 0.1:
        options += ["--bin", chance.choice(["1", "10", "3600"])]
    if chance.random() < 0.05:
        options += ["-f", chance.choice(["udp", "not port 53", "vlan", "ip6 or icmp"])]
    if chance.random() < 0.05:
        options += [chance.choice(["--from", "--to"]), chance.choice(["2025-06-05", "2025-06-05T00:30:00Z", "1970-01-02"])]
    return options


# Words about a file that was read on, or read up to there; any others refuse it.
WAS_READ = re.compile("damaged or cut off|the clock was set back")


def compare_with_libpcap(run, played):
    """What is refused as a whole is named, and nothing is read if it was asked for by name; the rest has the packets that libpcap
    counts, or more of them where it stops at an interface of another link type."""
    theirs, at_least = 0, False
    if run.status == 1 and run.written()["events"] is None:
        return
    for path, mutant in zip(run.inputs, played):
        if any(str(path) in line and not WAS_READ.search(line) for line in run.errors.splitlines()):
            if not mutant.pcap:
                return  # it may have been of no use, or some of its packets
            continue
        theirs += counted_by_libpcap(path) or 0
        at_least |= not mutant.pcap
    ours = run.packets()
    ask(ours >= theirs if at_least else ours == theirs, "packets:", ours, "where libpcap counts", theirs)


def compare_with_whole_packets(player, run, mutant, layout, options):
    """A capture that is cut off tells what the packets before the cut tell."""
    at = len(mutant.data)
    end = max((end for _, end in mutant.whole.records if end <= at), default=None)
    if end is None or end == at:
        return
    first = run.written()
    ask(run.status == 1, "cut off at", at, "within a record, and exit status 0")
    again = player.play([player.put("whole.pcap", mutant.data[:end])], layout, options)
    again.look()
    ask(again.written() == first, "cut off at", at, "it tells other things than its first", end, "bytes, which end a packet")


def play_captures(player, number, played, chance):
    """Several are one capture; one may have a sane one beside it."""
    player.clear()
    layout, options = chance.choice(list(LAYOUTS)), options_of(chance)
    inputs = [player.put(f"{number}-{i}.pcap", mutant.data) for i, mutant in enumerate(played)]
    directory = len(played) > 1 and chance.random() < 0.75
    if len(played) == 1 and chance.random() < 0.2:
        inputs.append(player.put("sane.pcap", mutants.whole(chance).data))
    run = player.play(inputs, layout, options, leaks=number % 8 == 0, directory=directory)
    run.look()
    if len(inputs) == len(played) and not options and all(mutant.plain for mutant in played):
        compare_with_libpcap(run, played)
        if len(played) == 1 and played[0].damages in (("cut",), ("cut_in_a_head",)) and number % 2 == 0:
            compare_with_whole_packets(player, run, played[0], layout, options)
    if layout == "one" and number % 3 == 0:
        said = run.written_in_any_order()
        again = player.play(inputs, "two", options, directory=directory)
        again.look()
        ask(again.status == run.status and again.written_in_any_order() == said, "two workers say other things than one")
    return run


def play_table(player, number, chance):
    player.clear()
    run = player.play([player.put(f"{number}.csv", mutants.table_mutant(chance))], "one", leaks=number % 8 == 0)
    run.look()
    return run


def play_group(player, first):
    """The mutants first to first + GROUP - 1, in one run or several."""
    chances = [(number, random.Random(number)) for number in range(first, first + GROUP)]
    plan, waiting = random.Random(f"group {first}"), []
    most = plan.choice([1, GROUP, GROUP, GROUP])
    for number, chance in chances:
        if chance.random() < 0.08:
            yield 1, play_table(player, number, chance)
        else:
            waiting.append((number, mutants.capture_mutant(chance)))
        while len(waiting) >= most or (waiting and number == first + GROUP - 1):
            together, waiting = waiting[:most], waiting[most:]
            yield len(together), play_captures(player, together[0][0], [mutant for _, mutant in together], plan)


def keep(player, found, number, words):
    """What broke something, with what it was."""
    folder = found / str(number)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(player.folder, folder)
    (folder / "why").write_text(f"{words}\n", errors="backslashreplace")


def play_some(build, found, firsts, tells):
    """Plays the groups that begin with `firsts`; returns how they ended, and what broke."""
    player, ends, broken, slowest, largest, began = Player(build), Counter(), [], 0, 0, time.monotonic()
    for done, first in enumerate(firsts):
        try:
            for count, run in play_group(player, first):
                ends["in a run that ended with 1" if run.status else "in a run that ended with 0"] += count
                ends["runs"] += 1
                slowest, largest = max(slowest, run.took_ms), max(largest, run.room_kib)
        except Broken as error:
            broken.append(first)
            keep(player, found, first, error)
            print(f"mutants {first} to {first + GROUP - 1}: {ascii(str(error))}", flush=True)
        if tells and done % 500 == 499:
            print(f"{done + 1} of {len(firsts)} groups in {time.monotonic() - began:.0f} s, {len(broken)} broke something", flush=True)
    player.close()
    return ends, broken, slowest, largest


def play_all(build, first, count, jobs):
    found = build / "mutants"
    found.mkdir(exist_ok=True)
    ends, broken, slowest, largest = Counter(), [], 0, 0
    first -= first % GROUP
    with ProcessPoolExecutor(jobs) as pool:
        parts = [pool.submit(play_some, build, found, range(first + GROUP * job, first + count, GROUP * jobs), job == 0 and count > 5000)
                 for job in range(jobs)]
        for part in parts:
            more, bad, slow, large = part.result()
            ends += more
            broken += bad
            slowest, largest = max(slowest, slow), max(largest, large)
    runs = ends.pop("runs", 0)
    said = ", ".join(f"{number:,} {what}" for what, number in sorted(ends.items()))
    print(f"{count:,} mutants in {runs:,} runs: {said}; {len(broken)} groups broke something{f', left in {found}' if broken else ''}; "
          f"the slowest took {slowest / 1000:.1f} s, the largest {largest // 1024} MiB")
    return broken


def main():
    if len(sys.argv) not in (4, 5):
        print(__doc__, file=sys.stderr)
        return 2
    jobs = int(sys.argv[4]) if len(sys.argv) == 5 else os.cpu_count()
    return 1 if play_all(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]), jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
