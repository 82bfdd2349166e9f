#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Refuses memory, threads and files at every n there is, once and for ever, and tells what came of it: whole.py BUILD_FOLDER."""

import argparse
import collections
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

NDPI_TIMES = 100  # of some 80 000: they are answered in one place


def numbers(session, kind, every):
    """Which to refuse."""
    total = session.asked[kind]
    stride = max(1, total // NDPI_TIMES) if kind == "ndpi" else every
    return range(1, total + 1, stride)


def in_words(said):
    """A line without what differs from one time to the next."""
    lines = [re.sub(r"/\S+/", "", line) for line in said.splitlines() if re.search(r"memory|open files|thread", line)]
    return lines[-1] if lines else "(done without)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--only", metavar="SESSION")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th")
    parser.add_argument("--kind", default=None)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    os.environ["BUILD"] = str(options.build)
    import sessions

    rows, bad = [], 0
    with tempfile.TemporaryDirectory() as source:
        sessions.make_input(Path(source))
        for session in sessions.sessions():
            if options.only not in (None, session.name):
                continue
            with tempfile.TemporaryDirectory() as folder:
                session.begin(Path(source), Path(folder) / "run")
                for kind in session.kinds:
                    if options.kind not in (None, kind):
                        continue
                    for ever in (False, True):
                        began, came, broken = time.monotonic(), collections.Counter(), collections.defaultdict(list)
                        ended = collections.Counter()
                        for number in numbers(session, kind, options.every):
                            try:
                                status, said = session.refuse(kind, number, ever)
                                ended[status] += 1
                                came[f"{status}: {in_words(said)}"] += 1
                            except (sessions.Broken, ValueError) as wrong:
                                broken[str(wrong)].append(number)
                        count = sum(map(len, broken.values()))
                        bad += count
                        tried = sum(ended.values()) + count
                        if tried == 0:
                            continue
                        print(f"{session.name:<12}{kind:<8}{'from n on' if ever else 'the n-th':<11}{tried:>6} of "
                              f"{session.asked[kind]:>6} tried: {ended[1]:>5} status 1, {ended[0]:>4} done without, "
                              f"{count} broken  ({time.monotonic() - began:.0f} s)", flush=True)
                        for wrong, where in broken.items():
                            print(f"    BROKEN at {where[:8]}{' …' if len(where) > 8 else ''}: {wrong}", flush=True)
                        for words, times in came.most_common() if options.verbose else ():
                            print(f"    {times:>5} {words}", flush=True)
                        rows.append({"session": session.name, "kind": kind, "ever": ever, "tried": tried,
                                     "asked": session.asked[kind], "status_1": ended[1], "status_0": ended[0],
                                     "broken": count, "said": dict(came)})
                session.end()
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return 0 if rows and bad == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
