#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Refuses memory, threads and files at every n there is, once and from there on, and tells what came of it: whole.py
BUILD_FOLDER."""

import argparse
import collections
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # no disk is waited for
FEW = 100  # of nDPI's some 80 000, which are answered in one place, and of the loader's beside a capture


def numbers(session, kind, every):
    """Which to refuse."""
    total = session.asked[kind]
    few = kind == "ndpi" or (kind == "loading" and session.name != "check")
    return range(1, total + 1, max(every, total // FEW if few else 1))


def in_words(said):
    """A line without what differs from one time to the next."""
    telling = re.compile(r"memory|open files|files left|thread|GnuTLS")
    lines = [re.sub(r"/\S+/", "", line) for line in said.splitlines() if telling.search(line)]
    return lines[-1] if lines else "(done without)"


def try_all(session, kind, ever, options):
    """One kind, once or from there on: prints what came of it, and returns it as a row."""
    from sessions import Broken
    began, ended, said, broken = time.monotonic(), collections.Counter(), collections.Counter(), collections.defaultdict(list)
    for number in numbers(session, kind, options.every):
        try:
            outcome = session.refuse(kind, number, ever)
            ended[outcome.status if outcome.refused[kind] else "not asked"] += 1
            said[f"{outcome.status}: {in_words(outcome.said)}"] += 1
        except (Broken, ValueError) as wrong:
            broken[str(wrong)].append(number)
            ended["broken"] += 1
    print(f"{session.name:<13}{kind:<8}{'from n on' if ever else 'the n-th':<11}{ended.total():>6} of {session.asked[kind]:>6} "
          f"tried: {ended[1]:>5} status 1, {ended[0]:>4} done without, {ended['not asked']:>2} not asked for this time, "
          f"{ended['broken']} broken  ({time.monotonic() - began:.0f} s)", flush=True)
    for wrong, where in broken.items():
        print(f"    BROKEN at {where[:8]}{' …' if len(where) > 8 else ''}: {wrong}", flush=True)
    for words, times in said.most_common() if options.verbose else ():
        print(f"    {times:>5} {words}", flush=True)
    return {"session": session.name, "kind": kind, "ever": ever, "tried": ended.total(), "asked": session.asked[kind],
            "status_1": ended[1], "status_0": ended[0], "broken": ended["broken"], "said": dict(said)}


def play(session, source, options):
    """One session, with all kinds. Returns the rows."""
    from pytest import skip
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        try:
            session.begin(source, Path(folder) / "run")
        except skip.Exception as why:
            print(f"{session.name:<13}left out: {why}", flush=True)
            return []
        try:
            return [try_all(session, kind, ever, options) for kind in session.kinds
                    if options.kind in (None, kind) and session.asked[kind] > 0 for ever in (False, True)]
        finally:
            session.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--only", metavar="SESSION")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th")
    parser.add_argument("--kind", default=None)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="also what was said, and how often")
    options = parser.parse_args()
    os.environ["BUILD"] = str(options.build)
    import live_session
    import sessions

    rows = []
    with tempfile.TemporaryDirectory(dir=MEMORY) as source:
        sessions.make_input(Path(source))
        for session in [*sessions.sessions(), *live_session.live_sessions()]:
            if options.only in (None, session.name):
                rows += play(session, Path(source), options)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return 0 if rows and not any(row["broken"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
