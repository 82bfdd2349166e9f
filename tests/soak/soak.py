#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A soak: soak.py BUILD_FOLDER [--seconds N] [--seed N] [--keep FOLDER], or soak.py --again FOLDER to judge one again.

The program watches a veth pair in namespaces of its own, three times: `main` with every output, a Redis behind a link
that fails, and a checkpoint; `tail` with its events on a pipe and the same Redis, never started again; `stepped` with a
clock that is set now and then (../set_clock.c). A world of known truth speaks on the wire (soak_world.py) and goes dark
now and then, while faults befall everything else (soak_plan.py, soak_faults.py). What was told is held against the
truth (soak_judge.py), and so are memory, descriptors and every file. The exit status is 1 when anything is wrong, and
the folder has all that is needed to see why. Wants root.
"""

import argparse
import collections
import contextlib
import csv
import fcntl
import http.client
import itertools
import json
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(HERE), str(TOP / "tests/analysis/publish")]
from proxy import Proxy  # noqa: E402
from redis_server import KEY, Server, until  # noqa: E402
from soak_faults import FAULTS  # noqa: E402
from soak_judge import judge, judge_life, judge_stepped  # noqa: E402
from soak_plan import KINDS, LEARN_S, plan  # noqa: E402
from soak_world import PATHS, PREFIXES, SERVICE, SERVICE_PLACES, VLAN, host_address  # noqa: E402

SAMPLE_EVERY_S = 5
LINE_EVERY_S = 60
F_SETPIPE_SZ = 1031
DISKS = ("events", "bins", "flows", "report", "state")
TAIL_PREFIX = "tail:"
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer")

CONFIGURATION = """[lightsout]
sensor = ix-1
bin = 5
step = 1
state_every = 5
user = root
[capture]
workers = {workers}
ring_mib = {ring_mib}
flows_max = 20000
classify_max = 2000
addresses_max = 20000
[detect]
learn_time = 60
recovery_hold = 10
false_alarms_per_year = {alarms}
[redis]
connect_timeout = 1
command_timeout = 1
heartbeat = 2
drain = 2
"""


def configuration(workers, ring_mib, alarms=1, extra=""):
    text = CONFIGURATION.format(workers=workers, ring_mib=ring_mib, alarms=alarms)
    text += "".join(f"[watch {prefix}]\n" for prefix in PREFIXES)
    text += "".join(f"[path {name}]\nvlan = {VLAN[name]}\n" for name in PATHS)
    return text + f"[service {SERVICE}]\naddress = {' '.join(host_address(*place) for place in SERVICE_PLACES)}\n" + extra


class Program:
    """The program on the wire, through as many lives as it is given."""

    def __init__(self, soak, name, words, port, text):
        self.soak, self.name, self.port = soak, name, port
        self.folder = soak.folder / name
        self.folder.mkdir()
        self.log = self.folder / "said"
        self.configure(text)
        self.command = [soak.lightsout, "-i", "a0", "-c", self.folder / "conf", "-v", "--http", f"127.0.0.1:{port}", *words]
        self.process, self.may_fail, self.lives, self.kills, self.statuses = None, False, [], 0, collections.Counter()
        self.drops, self.drops_before = 0, 0

    def configure(self, text):
        (self.folder / "conf.new").write_text(text)
        (self.folder / "conf.new").rename(self.folder / "conf")

    def start(self, **options):
        with self.log.open("a") as log:
            self.process = subprocess.Popen([*map(str, self.command)], stdin=subprocess.DEVNULL, stderr=log,
                                            **{"stdout": subprocess.DEVNULL, **options})
        # A life that began or ends within such a fault may end with what it could not write or deliver.
        self.may_fail, self.drops = self.soak.failing > 0, 0
        self.lives.append([])
        if not until(lambda: self.ask("/healthz") or self.process.poll() is not None, 30) or self.process.poll() is not None:
            raise RuntimeError(f"{self.name} does not start: {self.said()[-1000:]}")

    def said(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.kills += 1
        self.process.kill()
        self.process.wait()

    def end(self):
        """Asked to end: it may take as long as the delivery drains, and fail only where an output did."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            status = self.process.wait()
            self.soak.wrong("does not end", program=self.name)
        self.statuses[status] += 1
        if status not in (0, 1) or (status == 1 and not self.may_fail):
            self.soak.wrong("exit status", program=self.name, status=status, said=self.said()[-1000:])

    def alive(self):
        return self.process.poll() is None

    def is_stopped(self):
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def ask(self, path):
        """Status and body, or None."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            with contextlib.closing(link):
                link.request("GET", path)
                answer = link.getresponse()
                return answer.status, answer.read().decode()
        return None

    def sample(self, at):
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines())
        fds = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        rss_kib, peak_kib = (int(status[key].split()[0]) for key in ("VmRSS", "VmHWM"))
        self.lives[-1].append({"at": round(at, 1), "rss_kib": rss_kib, "peak_kib": peak_kib,
                               "threads": int(status["Threads"]), "fds": fds})

    def look(self):
        """Asks the page, and how many packets were dropped since it was asked last."""
        answer = self.ask("/metrics")
        if answer is None or answer[0] != 200:
            return None
        dropped = sum(float(line.split()[-1]) for line in answer[1].splitlines()
                      if line.startswith("lightsout_interface_dropped_packets_total{"))
        new, self.drops = dropped - self.drops, dropped
        self.drops_before += new
        return new


class Tail(Program):
    """With its events on a pipe that has hardly any room, and a reader that may be stuck."""

    def __init__(self, soak, port):
        folder = soak.folder / "tail"
        super().__init__(soak, "tail", ["--events", "-", "--bins", folder / "bins", "--flows", folder / "flows", *soak.redis,
                                        "--redis-prefix", TAIL_PREFIX], port, configuration(1, 64))
        self.stuck, self.events = False, folder / "events"
        self.events.touch()

    def start(self):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
        super().start(stdout=writer)
        os.close(writer)
        os.set_blocking(reader, False)
        self.reader = reader

    def read(self):
        if self.stuck:
            return
        with contextlib.suppress(BlockingIOError), self.events.open("ab") as file:
            while data := os.read(self.reader, 65536):
                file.write(data)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.stuck = False
        until(lambda: self.read() or not self.alive(), 40)
        super().end()
        self.read()


class Stepped(Tail):
    """One whose clock is set now and then."""

    def __init__(self, soak, port):
        Program.__init__(self, soak, "stepped", ["--events", "-"], port, configuration(1, 64))
        self.stuck, self.rest, self.arrivals = False, b"", []
        self.offset = self.folder / "offset"
        self.offset.write_bytes(bytes(8))
        self.command = ["env", f"LD_PRELOAD={soak.clock}", f"SET_CLOCK={self.offset}", *self.command]

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.reader, 65536):
                *lines, self.rest = (self.rest + data).split(b"\n")
                self.arrivals += [(time.time(), json.loads(line)) for line in lines]

    def set(self, seconds):
        with self.offset.open("r+b") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))


class World:
    """The sender."""

    def __init__(self, soak, seed):
        self.soak = soak
        self.process = subprocess.Popen([sys.executable, HERE / "soak_world.py", soak.sender, str(seed)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def tell(self, *words):
        """The wall clock when it obeyed."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        while True:
            line = self.process.stdout.readline().split()
            if line[0] != "stalled":
                return float(line[0])
            self.stalled(line)

    def stalled(self, line):
        self.soak.was_blind("both", "the sender had no time", float(line[1]), float(line[2]))

    def listen(self):
        while select.select([self.process.stdout], [], [], 0)[0]:
            self.stalled(self.process.stdout.readline().split())

    def end(self):
        self.process.stdin.close()
        return [int(word) for word in self.process.stdout.read().split()[-2:]]


class Soak:
    DISK = "4g"
    sender = "a1"

    def __init__(self, lightsout, folder, length_s, seed):
        # Of a program with a sanitizer nothing may come before that.
        self.clock = lightsout.with_name("set_clock.so")
        self.has_clock = self.clock.exists() and not is_sanitized(lightsout)
        self.lightsout, self.folder, self.length_s, self.seed = lightsout, folder, length_s, seed
        self.dice = random.Random(seed)
        self.truth = {"seed": seed, "begin": 0, "end": 0, "outages": [], "blind": [], "faults": []}
        self.found, self.variant, self.failing = [], False, 0

    def wrong(self, what, **more):
        self.found.append({"what": what, "at": time.time(), **more})
        print(f"WRONG: {what}: {more}", flush=True)

    # --- what faults use ---

    def ip(self, line):
        subprocess.run(["ip", *line.split()], check=True)

    def make_wire(self):
        self.ip("link add a0 type veth peer name a1")
        self.ip("link set a1 up")
        self.ip("link set a0 up")

    def was_blind(self, who, why, begin, end):
        self.truth["blind"].append({"who": who, "why": why, "begin": begin, "end": end})
        return self.truth["blind"][-1]

    def set_clock(self, seconds):
        if self.stepped is not None:
            self.stepped.set(seconds)

    @contextlib.contextmanager
    def blind(self, who, why):
        window = self.was_blind(who, why, time.time(), None)
        yield
        window["end"] = time.time()

    def configuration(self):
        """Of main: what a reload changes is beside what is dark."""
        extra = f"[service extra]\naddress = {host_address(1, 3)}\n" if self.variant else ""
        return configuration(2, 64, 2 if self.variant else 1, extra)

    # --- from begin to end ---

    def run(self):
        with contextlib.ExitStack() as stack:
            self.furnish(stack)
            self.truth["begin"] = time.time()
            with contextlib.ExitStack() as running:
                self.watch(plan(self.seed, self.length_s), running)
            self.truth["end"] = time.time()
            self.main.may_fail = True  # whatever befell it in this life; a crash is not excused
            self.main.end()
            self.tail.end()
            if self.stepped is not None:
                self.stepped.end()
                self.found += judge_stepped(self.truth, self.stepped.arrivals)
            self.frames = self.world.end()
            self.entries = self.server.entries()
            self.check_redis()
            self.check_tail()

    def furnish(self, stack):
        quiet = [f"net.ipv6.conf.{which}.disable_ipv6=1" for which in ("all", "default")]
        subprocess.run(["sysctl", "-q", "-w", *quiet], check=False)
        self.ip("link set lo up")
        self.make_wire()
        for disk in DISKS:
            (self.folder / disk).mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.DISK}", "tmpfs", self.folder / disk], check=True)
        (self.folder / "redis").mkdir()
        self.server = Server(self.folder / "redis").start()
        stack.callback(self.server.stop)
        self.proxy = stack.enter_context(Proxy(self.folder / "proxy.sock", self.server.path))
        paths = {name: self.folder / name / name for name in DISKS}
        self.redis = ["--redis", f"unix://{self.folder}/proxy.sock"]
        self.main = Program(self, "main", self.redis +
                            [word for name, path in paths.items() for word in (f"--{name}", path)], 9109, self.configuration())
        self.tail = Tail(self, 9110)
        self.stepped = Stepped(self, 9111) if self.has_clock else None
        self.programs = [program for program in (self.main, self.tail, self.stepped) if program is not None]
        for program in self.programs:
            program.start()
            stack.callback(lambda program=program: program.process.kill())
        self.world = World(self, self.seed)
        stack.callback(self.world.process.kill)

    def watch(self, planned, running):
        """Begins and ends what is planned, and looks how everything fares."""
        begun, active = time.monotonic(), []
        next_sample = next_line = 0.0
        queue = collections.deque(planned)
        while (now := time.monotonic() - begun) < self.length_s:
            for ending in [one for one in active if one[0] <= now]:
                active.remove(ending)
                ending[1].close()
            if queue and queue[0].at <= now:
                one = queue.popleft()
                takes = set(KINDS[one.name].takes) if one.name in KINDS else {"world"}
                # On a busy machine one may still last when the next is due.
                if not any(takes & other[2] for other in active):
                    context = running.enter_context(contextlib.ExitStack())
                    context.enter_context(self.strike(one))
                    active.append((time.monotonic() - begun + one.lasts, context, takes))
            if now >= next_sample:
                self.sample()
                next_sample = now + SAMPLE_EVERY_S
            if now >= next_line:
                self.line(now, len(active))
                next_line = now + LINE_EVERY_S
            for program in self.programs[1:]:
                program.read()
            self.world.listen()
            time.sleep(0.05)

    @contextlib.contextmanager
    def strike(self, one):
        if one.outage is not None:
            begin = self.world.tell("dark", *one.outage)
            yield
            self.truth["outages"].append({**one.outage._asdict(), "begin": begin, "end": self.world.tell("light")})
            return
        record = {"name": one.name, "begin": time.time(), "end": None}
        self.truth["faults"].append(record)
        fails = one.name.startswith(("full-", "redis-"))
        self.failing += fails
        self.main.may_fail |= fails
        with FAULTS[one.name](self, one.lasts):
            yield
        self.failing -= fails
        record["end"] = time.time()

    def sample(self):
        for program in self.programs:
            if not program.alive():
                # Between a kill and the next start it is dead by design; a fault that is over has started it again.
                if program is not self.main or not self.is_away():
                    self.wrong("died", program=program.name, status=program.process.returncode, said=program.said()[-2000:])
                    raise RuntimeError(f"{program.name} died")
                continue
            program.sample(time.time())
            if program.is_stopped():
                continue
            before = time.time() - SAMPLE_EVERY_S - 2
            dropped = program.look()
            if dropped is None:
                self.wrong("the page does not answer", program=program.name)
            elif dropped > 0:
                self.was_blind(program.name, f"{dropped:.0f} dropped", before, time.time())

    def is_away(self):
        return any(window["end"] is None and window["who"] == "main" for window in self.truth["blind"])

    def line(self, now, active):
        words = []
        for program in self.programs:
            if program.lives[-1]:
                last = program.lives[-1][-1]
                words.append(f"{program.name} {last['rss_kib'] / 1024:.1f} MiB (peak {last['peak_kib'] / 1024:.1f}), "
                             f"{last['fds']} fds, {last['threads']} threads, {program.drops_before:.0f} drops, "
                             f"{len(program.lives) - 1} restarts")
        print(f"{now:6.0f} s  {len(self.truth['outages'])} outages, {len(self.truth['faults'])} faults, {active} now;  " +
              ";  ".join(words), flush=True)

    # --- what is left behind ---

    def check_redis(self):
        numbers = [entry["id"] for entry in self.entries]
        for entry in self.entries:
            event = json.loads(entry["event"])
            if event["event"]["id"] != entry["id"] or event["event"]["action"] != entry["action"]:
                self.wrong("an entry that does not agree with its event", id=entry["id"])
        file = [event["event"]["id"] for event in read_lines(self.folder / "events/events", self.wrong)]
        place = {number: at for at, number in enumerate(numbers)}
        for number in file:
            if number not in place:
                self.wrong("in the file and not in the stream", id=number)
        places = [place[number] for number in file if number in place]
        for number, (before, after) in zip(file, itertools.pairwise(places)):
            if after <= before:
                self.wrong("out of order in the file", id=number)
        self.only_in_stream = len(set(numbers) - set(file))
        if self.server.ask("EXISTS", KEY + "state") != 1:
            self.wrong("no state in Redis")

    def check_tail(self):
        """What came by the pipe and what came by Redis is the same."""
        piped = [event["event"]["id"] for event in read_lines(self.tail.events, self.wrong)]
        stream = self.server.ids(KEY.replace("lightsout:", TAIL_PREFIX) + "events")
        if piped != stream:
            self.wrong("pipe and stream of tail differ", only_piped=sorted(set(piped) - set(stream)),
                       only_in_stream=sorted(set(stream) - set(piped)))

    def keep(self, folder):
        """All that judging takes."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "truth.json").write_text(json.dumps(self.truth, indent=1))
        (folder / "main.ndjson").write_text("".join(entry["event"] + "\n" for entry in self.entries))
        shutil.copyfile(self.tail.events, folder / "tail.ndjson")
        for name in DISKS[:4]:
            if (self.folder / name / name).exists():
                shutil.copyfile(self.folder / name / name, folder / f"{name}.file")
        for program in self.programs:
            shutil.copyfile(program.log, folder / f"{program.name}.said")
        (folder / "run.json").write_text(json.dumps(
            {"seconds": self.length_s, "seed": self.seed, "found": self.found, "frames": self.frames,
             "only_in_stream": self.only_in_stream, "programs": {
                program.name: {"lives": program.lives, "kills": program.kills, "statuses": program.statuses,
                               "drops": program.drops_before} for program in self.programs[:2]},
             "stepped": None if self.stepped is None else sum("outage" in event for _, event in self.stepped.arrivals)}))


# --- judging ---


def read_lines(path, wrong):
    events = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
        try:
            if line:
                events.append(json.loads(line))
        except ValueError:
            wrong("a line that is no JSON", file=str(path), line=number + 1)
    return events


def check_bins(path, wrong):
    with path.open(newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        seen, last = set(), ""
        for number, row in enumerate(rows, 2):
            if len(row) != len(header) or row[0] < last:
                wrong("a row that is not whole or out of time", file=path.name, line=number)
                continue
            last = row[0]
            if (row[0], row[1]) in seen:
                wrong("a row twice", file=path.name, line=number)
            seen.add((row[0], row[1]))
    if not seen:
        wrong("no bins")
    return len(seen)


def check_flows(path, wrong):
    count = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                count += "source" in json.loads(line)
            except ValueError:
                wrong("a line that is no JSON", file=path.name, line=number)
    return count


def check_schema(events, wrong):
    """Where python3-jsonschema is there."""
    with contextlib.suppress(ImportError):
        import jsonschema
        check = jsonschema.Draft202012Validator(json.loads((TOP / "samples/events.schema.json").read_text()))
        for event in events:
            for error in check.iter_errors(event):
                wrong("not by the schema", id=event["event"]["id"], error=error.message[:200])


def check_files(folder, wrong):
    counts = {"bins": check_bins(folder / "bins.file", wrong), "flows": check_flows(folder / "flows.file", wrong)}
    report = (folder / "report.file").read_text()
    if not report.lower().startswith("<!doctype html>") or not report.rstrip().endswith("</html>"):
        wrong("a report that is not whole")
    for path in folder.glob("*.said"):
        said = path.read_text(errors="replace")
        if (found := SANITIZER.search(said)) is not None:
            wrong("a sanitizer speaks", program=path.stem, said=said[found.start():found.start() + 3000])
    return counts


def judge_folder(folder, sanitized):
    """Everything that is known of a soak, as one value; `wrong` is empty when all is well."""
    truth, run = (json.loads((folder / name).read_text()) for name in ("truth.json", "run.json"))
    wrong = list(run["found"])

    def add(what, **more):
        wrong.append({"what": what, **more})

    result = {"seed": run["seed"], "seconds": run["seconds"], "frames_sent": run["frames"][0], "frames_lost": run["frames"][1],
              "faults": dict(sorted(collections.Counter(one["name"] for one in truth["faults"]).items())),
              "rows": check_files(folder, add), "events_only_in_stream": run["only_in_stream"],
              "told_by_the_stepped": run.get("stepped"), "programs": {}}
    for name, program in run["programs"].items():
        events = read_lines(folder / f"{name}.ndjson", add)
        check_schema(events, add)
        told = judge(truth, events, name)
        wrong += [{"program": name, **one} for one in told.pop("wrong")]
        lives = [life for life in map(judge_life, program["lives"]) if life is not None]
        for life in lives if not sanitized else []:
            for trouble in ("leaks", "keeps_fds", "keeps_threads"):
                if life[trouble]:
                    add(trouble.replace("_", " "), program=name, **life)
        result["programs"][name] = {**told, **program, "restarts": len(program["lives"]) - 1, "lives": lives}
    return {**result, "wrong": wrong}


def print_result(result):
    faults = result["faults"]
    print(f"\nsoak of {result['seconds']:.0f} s, seed {result['seed']}: {result['frames_sent']} frames, "
          f"{sum(faults.values())} faults: " + ", ".join(f"{count} {name}" for name, count in faults.items()))
    for name, one in result["programs"].items():
        delays = sorted(one["delays_s"])
        print(f"{name}: {one['outages']} outages, {one['told']} told, {one['missed']} missed, {one['false']} false, "
              f"{one['merged']} told as narrower ones first, {one['brief']} moments of doubt, "
              f"{one['unseen']} while it could not see; onset intervals hold {one['onsets_held']} of {one['onsets']}, "
              f"ends {one['ends_held']} of {one['ends']}; told after {delays[len(delays) // 2] if delays else '-'} s (median); "
              f"{one['events']} events; {one['restarts']} restarts ({one['kills']} kills), {one['drops']:.0f} drops")
        for life in one["lives"][-1:] if name == "tail" else sorted(one["lives"], key=lambda life: life["seconds"])[-1:]:
            rss, quarters, fds, threads = (life[key] for key in ("rss_kib", "quarters_kib", "fds", "threads"))
            warm = "warm" if life["warm"] else "not warm yet"
            print(f"  {life['seconds']} s of life: RSS {rss[0]} to {rss[1]} KiB ({warm}: first quarter {quarters[0]}, last "
                  f"{quarters[1]}, {life['slope_kib_an_hour']} KiB an hour), peak {life['peak_kib']}, fds {fds[0]} to {fds[1]}, "
                  f"threads {threads[0]} to {threads[1]}")
    for one in result["wrong"]:
        print("WRONG", json.dumps(one))
    print("nothing is wrong" if not result["wrong"] else f"{len(result['wrong'])} wrong")


def is_sanitized(program):
    return "libasan" in subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", type=Path)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.again:
        result = judge_folder(options.again, False)
        print_result(result)
        return 1 if result["wrong"] else 0
    build = options.build.resolve()
    keep = (options.keep or build / "soak").resolve()
    if options.inside is None:
        if options.seconds < LEARN_S + 120:
            parser.error(f"a soak takes {LEARN_S + 120} s at the least")
        seed = options.seed if options.seed is not None else random.randrange(10**6)
        print(f"seed {seed}; everything is left in {keep}", flush=True)
        shutil.rmtree(keep, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            # What is begun within ends with it.
            within = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            again = [sys.executable, __file__, str(build), "--seconds", str(options.seconds), "--seed", str(seed)]
            return subprocess.run([*within, *again, "--keep", str(keep), "--inside", folder], check=False).returncode
    soak = Soak(build / "lightsout", options.inside, options.seconds, options.seed)
    try:
        soak.run()
    except BaseException:
        for program in ("main", "tail"):
            with contextlib.suppress(AttributeError, OSError):
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(getattr(soak, program).log, keep / f"{program}.said")
        (keep / "truth.json").write_text(json.dumps(soak.truth, indent=1))
        raise
    soak.keep(keep)
    result = judge_folder(keep, is_sanitized(soak.lightsout))
    (keep / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    print_result(result)
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
