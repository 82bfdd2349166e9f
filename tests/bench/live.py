# SPDX-License-Identifier: BSD-3-Clause
"""The highest rate on a veth pair at which nothing is dropped, of the program and of a libpcap receiver that only counts;
and what a packet costs each. Everything happens in a network namespace of its own."""

import os
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SECONDS = 2.0
STEPS = 6  # of bisection: to 2 % of the sender's highest rate
RING_MIB = 64


class Receiver:
    """A program that receives, from the moment at which it does."""

    def __init__(self, space, command, said_ready, **options):
        self.process = subprocess.Popen(space.command(*command), text=True, **options)
        said_ready(self.process)
        self.begun_s = self.cpu_s()

    def cpu_s(self):
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """What it printed, and the CPU seconds that it took while it received."""
        cpu_s = self.cpu_s() - self.begun_s
        self.process.send_signal(signal.SIGTERM)
        output, said = self.process.communicate(timeout=60)
        return output, said, cpu_s


def of_libpcap(space, tool):
    receiver = Receiver(space, [tool, "count", "a0", RING_MIB], lambda process: process.stdout.readline(), stdout=subprocess.PIPE)

    def received():
        output, _, cpu_s = receiver.end()
        return int(output.split()[-2]), cpu_s

    return received


def of_lightsout(space, lightsout, folder, workers):
    configuration, bins = folder / "live.conf", folder / "live.csv"
    configuration.write_text(f"[capture]\nring_mib = {RING_MIB}\nworkers = {workers}\n")
    bins.unlink(missing_ok=True)

    def ready(process):
        while not bins.exists() and process.poll() is None:
            pass

    receiver = Receiver(space, [lightsout, "-v", "-i", "a0", "-c", configuration, "--bins", bins, "--events",
                                folder / "live.events"], ready, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def received():
        _, said, cpu_s = receiver.end()
        found = re.search(r"(\d+) packets delivered by the sources", said)
        return int(found[1]) if found else 0, cpu_s

    return received


def trial(space, tool, begin, path, rate):
    """Packets sent a second, share received, and the receiver's CPU nanoseconds a packet."""
    received = begin()
    sender = subprocess.run(space.command(tool, "send", "a1", path, rate, SECONDS), capture_output=True, text=True, check=True)
    sent, took_s = sender.stdout.split()
    count, cpu_s = received()
    return int(sent) / float(took_s), count / int(sent), 1e9 * cpu_s / max(count, 1)


def highest(space, tool, begin, path):
    """The highest rate without a drop, whether that was as fast as the sender could, and the cost of a packet then."""
    rate, share, cost_ns = trial(space, tool, begin, path, 0)
    if share == 1:
        return rate, True, cost_ns
    low, high, cost_ns = 0.0, rate, 0.0
    for _ in range(STEPS):
        rate, share, ns = trial(space, tool, begin, path, (low + high) / 2)
        if share == 1:
            low, cost_ns = rate, ns
        else:
            high = min(high, rate)
    return low, False, cost_ns


def bench_live(path, rounds, folder, lightsout):
    """Prints a row a receiver, medians; None where namespaces may not be made."""
    try:
        from namespace import Namespace

        space = Namespace("a")
    except BaseException as why:  # pytest's way to skip is none of Exception
        print(f"\nlive: left out: {why}")
        return None
    tool = folder / "live"
    receivers = {"libpcap": lambda: of_libpcap(space, tool)}
    for workers in (1, 2):
        name = f"lightsout, {workers} worker{'s' if workers > 1 else ''}"
        receivers[name] = lambda workers=workers: of_lightsout(space, lightsout, folder, workers)
    try:
        runs = {name: [] for name in receivers}
        for _ in range(rounds):
            for name, begin in receivers.items():
                runs[name].append(highest(space, tool, begin, path))
    finally:
        space.close()
    print(f"\nlive on a veth pair, frames of 60 bytes, 1 % watched, {os.cpu_count()} processors of which the sender takes one:\n"
          "the highest rate without a drop")
    print(f"  {'':<22}{'Mpkt/s':>8}{'x libpcap':>11}{'CPU ns/pkt':>12}  limited by")
    figures = {}
    for name, of_name in runs.items():
        rate = statistics.median(run[0] for run in of_name)
        ratio = statistics.median(run[0] / beside[0] for run, beside in zip(of_name, runs["libpcap"]))
        by_sender = sum(run[1] for run in of_name)
        figures[name] = {"packets_per_s": rate, "of_libpcap": ratio, "cpu_ns_per_packet": statistics.median(run[2] for run in of_name),
                         "rounds_limited_by_sender": by_sender}
        print(f"  {name:<22}{rate / 1e6:>8.2f}{ratio:>11.2f}{figures[name]['cpu_ns_per_packet']:>12.0f}  "
              f"the sender in {by_sender} of {rounds} rounds")
    return {"figures": figures, "runs": runs}
