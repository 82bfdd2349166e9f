#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What one fuser carries: sensors and bins a second, beside a redis-server of its own. fuse.py BUILD_FOLDER"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "analysis" / "publish"))
from redis_server import Client, Server, until  # noqa: E402

START_S = 1749081600  # 2025-06-05T00:00:00Z
SCOPES = ["all"] + [f"prefix:192.0.{i}.0/24" for i in range(4)] + [f"service:host-{i}.example" for i in range(18)] + ["tap"]
PREFIX = "bench:"
MEASURES = ["flows", "live_flows", "answered_flows", "packets_in", "packets_out", "bytes_in", "bytes_out", "hosts", "peers",
            "syn_in", "icmp_errors", "live_bursts", "answered_bursts", "handshakes", "handshake_us", "answered_hops",
            "retransmits_in", "retransmits_out", "unseen_acks_in", "unseen_acks_out", "acked_flows", "icmp_unreachable",
            "icmp_prohibited", "icmp_exceeded", "icmp_own", "reflected_in", "oneway_out", "control", "proven_flows",
            "proven_bursts", "icmp_no_route", "knocks"]


def instant(second):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def bin_of(scope, begun):
    """As long as a real one."""
    values = {"time": instant(begun), "scope": scope, "start": instant(begun)[:-1] + ".000000Z",
              "end": instant(begun + 60)[:-1] + ".000000Z", **dict.fromkeys(MEASURES, 1234),
              "signal": "packets_in" if scope == "tap" else "answered_flows", "expected": 1234.567, "low": 1100.123,
              "state": "up", "detectable_s": 61.2}
    return json.dumps(values, separators=(",", ":"))


def load(server, sensors, windows):
    client = Client(server.path)
    names = [f"ix-{i}" for i in range(sensors)]
    client("SADD", f"{PREFIX}sensors", *names)
    for window in range(windows):
        begun = START_S + 60 * window
        bins = [(scope, bin_of(scope, begun)) for scope in SCOPES]
        for number, name in enumerate(names):
            for at, (scope, text) in enumerate(bins):
                client.send("XADD", f"{PREFIX}{{{name}}}:bins", f"{(begun + 61) * 1000 + number}-{at}",
                            "time", instant(begun), "scope", scope, "bin", text)
            for _ in bins:
                client.reply()
    client.close()
    return sensors * windows * len(SCOPES)


def measure(build, sensors, windows):
    """Seconds until all was judged, processor seconds of the fuser, and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder)).start()
        try:
            rows = load(server, sensors, windows)
            (Path(folder) / "conf").write_text(f"[redis]\nprefix = {PREFIX}\n")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            begun = time.monotonic()
            fuser = subprocess.Popen([build / "lightsout", "-c", Path(folder) / "conf", "--fuse", "--redis", server.url],
                                     stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            last = instant(START_S + 60 * (windows - 1))
            done = until(lambda: (server.ask("XREVRANGE", f"{PREFIX}{{fused}}:bins", "+", "-", "COUNT", "1") or
                                  [[0, [0, ""]]])[0][1][1] >= last, 600)
            took = time.monotonic() - begun
            memory = int(next(line.split()[1] for line in Path(f"/proc/{fuser.pid}/status").read_text().splitlines()
                              if line.startswith("VmHWM")))
            fuser.terminate()
            fuser.wait(20)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            view = server.ask("MEMORY", "USAGE", f"{PREFIX}{{fused}}:fuse")
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return {"sensors": sensors, "scopes": len(SCOPES), "bins": rows, "done": bool(done), "seconds": took,
                    "cpu_s": cpu, "memory_kib": memory, "view_bytes": view}
        finally:
            server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"bins of {len(SCOPES)} scopes a sensor, one fuser, one redis-server, {os.cpu_count()} processors")
    print(f"{'sensors':>8}{'bins':>9}{'seconds':>9}{'bins/s':>9}{'us cpu/bin':>12}{'MiB':>6}{'view KiB':>10}"
          f"{'of it taken by bins of a minute':>33}")
    rows = []
    for sensors, windows in ((5, 400), (50, 60), (200, 20), (500, 10)):
        row = measure(options.build.resolve(), sensors, windows)
        rows.append(row)
        rate = row["bins"] / row["seconds"]
        print(f"{sensors:>8}{row['bins']:>9}{row['seconds']:>9.2f}{rate:>9.0f}{1e6 * row['cpu_s'] / row['bins']:>12.1f}"
              f"{row['memory_kib'] / 1024:>6.0f}{row['view_bytes'] / 1024:>10.0f}{100 * sensors * len(SCOPES) / 60 / rate:>31.1f} %"
              + ("" if row["done"] else "  NOT DONE"), flush=True)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["done"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
