# SPDX-License-Identifier: BSD-3-Clause
"""The disk on which events wait is full or damaged, Redis is away for long, and how soon an event is there otherwise."""

import contextlib
import json
import random
import re
import statistics
import subprocess
import time

import pytest
from server import NOTHING, PREFIX, STREAM, Client, Drive, Figure, Replay, Server, compare, drive, fault, until

NOWHERE = "unix:///nonexistent/redis.sock"


@contextlib.contextmanager
def small_disk(folder, kib):
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("may not mount a small disk: run as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@fault("the spool's disk is full while the server is away, {times} times", "0 / 0 / 0", 2, 50)
def disk_full(folder, times):
    """The program is killed with the disk full, or ends, or sees it have room again; then it runs once more."""
    dice = random.Random(3)
    total, said = NOTHING, 0
    server = Server(folder).start()
    with small_disk(folder / "disk", 6144) as disk:
        replay = Replay(folder, server.url, settings="drain = 0.2\n", disk=disk)
        decided = replay.decided()
        ballast = disk / "ballast"
        runs = 0
        while runs < times or (said == 0 and runs < 10 * times):  # it may end before its disk is full
            runs += 1
            server.ask("FLUSHALL")
            replay.forget()
            ballast.write_bytes(bytes(dice.randrange(3000, 6100) * 1024))
            server.kill()
            process = replay.start()
            time.sleep(dice.uniform(0.05, 0.3))
            end = dice.randrange(3)
            if end == 0:
                process.kill()
            if end == 1:
                ballast.unlink()
            process.wait()
            said += "No space left on device" in replay.said()
            ballast.unlink(missing_ok=True)
            server.start()
            replay.finish()
            total += compare(decided, server.ids(STREAM))
        server.stop()
    return Figure(f"{total}; full and said so {said} times", total.whole() and said > 0)


def wound(path, dice):
    """One of what may befall a file: cut off, or a bad byte. Whether it is the latter."""
    content = bytearray(path.read_bytes())
    at, bad = dice.randrange(len(content)), dice.random() < 0.5
    if bad:
        content[at] ^= dice.randrange(1, 256)
    else:
        del content[at:]
    path.write_bytes(content)
    return bad


@fault("spool cut off or corrupted at a random byte after kill -9, {times} times", "rest there, told", 6, 300)
def spool_damaged(folder, times):
    dice = random.Random(4)
    total, told, losses, hit, worst = NOTHING, 0, 0, 0, 0
    server = Server(folder).start()
    replay = Replay(folder, server.url)
    decided = replay.decided()
    try:
        while hit < times:
            server.ask("FLUSHALL")
            replay.forget()
            process = replay.start("--redis", dice.choice([NOWHERE, server.url]))
            time.sleep(dice.uniform(0.05, 0.2))
            process.kill()
            process.wait()
            if not replay.spool.exists() or replay.spool.stat().st_size == 0:
                continue
            hit += 1
            bad = wound(replay.spool, dice)
            replay.finish()
            one = compare(decided, server.ids(STREAM))
            total += one
            worst = max(worst, one.lost) if bad else worst
            words = replay.said()
            said = sum(int(number) for number in re.findall(r"up to (\d+) events?", words))
            told += one.lost > 0 and (said >= one.lost or "is empty: what waited in it" in words)
            losses += one.lost > 0
    finally:
        server.stop()
    reached = total.decided > 0 and total.repeated == 0 and total.misplaced == 0 and losses == told and worst <= 1
    return Figure(f"{total}; {worst} at most by a bad byte; {told} of {losses} losses told", reached)


def resident_kib(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))


@fault("the server away for {times} events (an hour at 100 a minute)", "<= 10 s", 500, 6000)
def server_away(folder, times):
    """All of them wait on disk when it comes back. What memory they take is held against the program with half of them."""
    highest = []
    server = Server(folder)
    for count in (times // 2, times):
        spool = folder / f"spool-{count}"
        running = Drive("--redis", server.url, "--prefix", PREFIX, "--spool", spool, "--drain", "60")
        running.do(*["event 1"] * count)
        assert until(lambda: spool.stat().st_size > 700 * count)
        time.sleep(0.5)
        highest.append(resident_kib(running.process))
        if count < times:
            running.kill()
    stored = spool.stat().st_size
    try:
        server.start()
        began = time.monotonic()
        assert until(lambda: server.ask("XLEN", STREAM) == times, 60)
        took = time.monotonic() - began
        running.end()
        delivered = server.ids(STREAM)
    finally:
        server.stop()
    drive([f"event {times}"], "--events", folder / "events.ndjson")
    one = compare([json.loads(line)["event"]["id"] for line in (folder / "events.ndjson").read_text().splitlines()], delivered)
    return Figure(f"{one}; {took:.1f} s after its return; {stored / 1024:.0f} KiB on disk, "
                  f"{highest[1] - highest[0]} KiB more in memory than half of them", one.whole() and took <= 10, one.whole())


@fault("event decided -> readable in the stream, {times} events, with a spool", "5 / 50 ms", 50, 2000)
def latency(folder, times):
    """From the line that asks the driver for an event to the answer of a reader who waits in XREAD."""
    server = Server(folder).start()
    took = []
    try:
        running = Drive("--redis", server.url, "--live", "--prefix", PREFIX, "--spool", folder / "spool")
        with contextlib.closing(Client(server.path)) as reader:
            last = "0"
            for _ in range(times):
                reader.send("XREAD", "BLOCK", 10000, "STREAMS", STREAM, last)
                began = time.perf_counter()
                running.process.stdin.write("event 1\n")
                running.process.stdin.flush()
                last = reader.reply()[0][1][-1][0]
                took.append((time.perf_counter() - began) * 1000)
                running.process.stdout.readline()
                time.sleep(0.005)
        running.end()
        whole = len(server.ids(STREAM)) == times
    finally:
        server.stop()
    median, late = statistics.median(took), statistics.quantiles(took, n=100)[98]
    return Figure(f"median {median:.2f} ms, 99th percentile {late:.2f} ms, highest {max(took):.2f} ms",
                  whole and median <= 5 and late <= 50, whole)
