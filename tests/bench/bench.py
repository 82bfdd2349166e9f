#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a replay costs, beside tcpdump with the same watch list as filter and a libpcap loop that does nothing; and of a
packed capture, beside what unpacks it.

    tests/bench/bench.py BUILD_FOLDER [--rounds N] [--packets N] [--small N]

Makes its captures in BUILD_FOLDER/bench where they are not there yet, runs the programs in turns whose order changes,
and prints medians; the same and every single run are in BUILD_FOLDER/bench/result.json. Only the ratios mean anything
on another machine, and no figure is a promise.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SAMPLE = TOP / "samples" / "blackout-2025-06.pcap.zst"
FIELDS = ("wall_s", "cpu_s", "rss_mib")


def make_trace(path, maker, *arguments, packed=None):
    """Runs the maker unless its capture is already there and younger than it."""
    if not path.exists() or path.stat().st_mtime < maker.stat().st_mtime:
        part = path.with_suffix(".part")
        with part.open("wb") as out:
            unpacked = subprocess.Popen(["zstdcat", packed], stdout=subprocess.PIPE) if packed else None
            subprocess.run([maker, *map(str, arguments)], stdin=unpacked.stdout if unpacked else None, stdout=out,
                           stderr=subprocess.DEVNULL, check=True)
            if unpacked and unpacked.wait() != 0:
                sys.exit(f"cannot unpack {packed}")
        part.rename(path)
    return path


def watch_filter(lightsout):
    """The watch list in force as a pcap filter that finds tagged packets too."""
    shown = subprocess.run([lightsout, "--check"], capture_output=True, text=True, check=True).stdout
    watches = re.findall(r"^\[watch (\S+)\]\n((?:\w.*\n)*)", shown, re.MULTILINE)
    nets = " or ".join(f"net {cidr}" for cidr, keys in watches if "enabled = yes" in keys)
    return f"{nets} or (vlan and ({nets}))"


def measure(tool, command, log):
    """One run: wall seconds, CPU seconds (user and system, all threads), peak resident MiB."""
    reading, writing = os.pipe()
    with log.open("w") as said:
        # The tool reports on descriptor 3.
        shell = subprocess.run(["sh", "-c", f'exec 3>&{writing}; exec "$@"', "sh", tool, *map(str, command)],
                               pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                               check=False)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read().split()
    if shell.returncode != 0 or not answer or answer[0] != "0":
        sys.exit(f"failed: {' '.join(map(str, command))}\n{log.read_text()}")
    return {"wall_s": float(answer[1]), "cpu_s": float(answer[2]), "rss_mib": int(answer[3]) / 1024}


def rounds_of(count, tool, commands, log):
    """Every command `count` times, after one run that warms the caches; each round begins with another of them."""
    names = list(commands)
    runs = {name: [] for name in names}
    for number in range(-1, count):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            run = measure(tool, commands[name], log)
            if number >= 0:
                runs[name].append(run)
    return runs


def summarise(runs, packets):
    """Medians of each, and the median of the ratios within a round."""
    figures = {}
    for name, of_name in runs.items():
        figure = {field: statistics.median(run[field] for run in of_name) for field in FIELDS}
        figure["packets_per_s"] = packets / figure["wall_s"]
        for other in runs:
            figure[f"cpu_of_{other}"] = statistics.median(
                run["cpu_s"] / beside["cpu_s"] for run, beside in zip(of_name, runs[other]))
        figures[name] = figure
    return figures


def show(title, packets, path, figures, columns):
    """A row a program; `columns` are headings and the figures under them, each with its digits."""
    print(f"\n{title}: {packets:,} packets, {path.stat().st_size / 1e6:.0f} MB")
    print(f"  {'':<12}{'Mpkt/s':>8}" + "".join(f"{heading:>11}" for heading, _, _ in columns))
    for name, figure in figures.items():
        print(f"  {name:<12}{figure['packets_per_s'] / 1e6:>8.2f}" +
              "".join(f"{figure[field]:>11.{digits}f}" for _, field, digits in columns))


def bench_plain(title, path, options, folder, lightsout, expression):
    """Beside tcpdump and libpcap's loop, by CPU."""
    counted = int(subprocess.run([folder / "floor", path], capture_output=True, text=True, check=True).stdout)
    (folder / "events").unlink(missing_ok=True)  # it is appended to
    runs = rounds_of(options.rounds, folder / "measure", {
        "lightsout": [lightsout, "-q", "-r", path, "--bins", folder / "bins.csv", "--events", folder / "events"],
        "tcpdump": ["tcpdump", "-r", path, "-w", "/dev/null", expression],
        "libpcap": [folder / "floor", path],
    }, folder / "log")
    figures = summarise(runs, counted)
    show(title, counted, path, figures, [("CPU s", "cpu_s", 3), ("x tcpdump", "cpu_of_tcpdump", 2),
                                         ("x libpcap", "cpu_of_libpcap", 2), ("RSS MiB", "rss_mib", 1)])
    return {"packets": counted, "bytes": path.stat().st_size, "figures": figures, "runs": runs}


def bench_packed(title, plain, packer, unpacker, options, folder, lightsout):
    """Beside what unpacks the capture to nowhere, by the time on the wall."""
    path = folder / f"{plain.name}{'.gz' if packer[0] == 'gzip' else '.zst'}"
    if not path.exists() or path.stat().st_mtime < plain.stat().st_mtime:
        with path.open("wb") as out:
            subprocess.run([*packer, plain], stdout=out, check=True)
    counted = int(subprocess.run([folder / "floor", plain], capture_output=True, text=True, check=True).stdout)
    (folder / "events").unlink(missing_ok=True)
    runs = rounds_of(options.rounds, folder / "measure", {
        "lightsout": [lightsout, "-q", "-r", path, "--bins", folder / "bins.csv", "--events", folder / "events"],
        unpacker: [unpacker, path],
    }, folder / "log")
    figures = summarise(runs, counted)
    for name, of_name in runs.items():
        figures[name]["wall_of_unpacker"] = statistics.median(
            run["wall_s"] / beside["wall_s"] for run, beside in zip(of_name, runs[unpacker]))
    show(title, counted, path, figures, [("wall s", "wall_s", 3), (f"x {unpacker}", "wall_of_unpacker", 2),
                                         ("CPU s", "cpu_s", 3), ("RSS MiB", "rss_mib", 1)])
    return {"packets": counted, "bytes": path.stat().st_size, "figures": figures, "runs": runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packets", type=int, default=8_000_000, help="of the mixed capture")
    parser.add_argument("--small", type=int, default=20_000_000, help="of the capture of small packets")
    options = parser.parse_args()
    build = options.build.resolve()
    folder, lightsout = build / "bench", build / "lightsout"
    maker = folder / "traces"
    mixed = make_trace(folder / f"mixed-{options.packets}.pcap", maker, "mixed", options.packets)
    traces = {
        "the sample twelve times over": make_trace(folder / "sample.pcap", maker, "repeat", 12, packed=SAMPLE),
        "a busy tap, 1 % watched": mixed,
        "the same as pcapng": make_trace(folder / f"mixed-{options.packets}.pcapng", maker, "pcapng", options.packets),
        "small packets, 1 % watched": make_trace(folder / f"small64-{options.small}.pcap", maker, "small64", options.small),
    }
    expression = watch_filter(lightsout)
    result = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "rounds": options.rounds,
              "filter": expression, "traces": {}}
    print(f"medians of {options.rounds} rounds; CPU is user + system of all threads; x is CPU, within a round, but of a\n"
          "packed capture time on the wall")
    for title, path in traces.items():
        result["traces"][title] = bench_plain(title, path, options, folder, lightsout, expression)
    for title, packer, unpacker in (("the busy tap in gzip", ["gzip", "-c"], "zcat"),
                                    ("the busy tap in zstd", ["zstd", "-q", "-c"], "zstdcat")):
        result["traces"][title] = bench_packed(title, mixed, packer, unpacker, options, folder, lightsout)
    (folder / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"\nlibpcap: a pcap_loop that does nothing. All figures: {os.path.relpath(folder / 'result.json')}")


if __name__ == "__main__":
    main()
