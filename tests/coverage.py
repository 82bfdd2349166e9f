#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which lines the tests have run: tests/coverage.py ready|tell OBJECTS_FOLDER.

ready: makes the file of counts beside each object anew, empty and open to everybody, so that programs add to it that
are confined or have become another user. tell: the share of lines run, of each room and of each file below 90 %, with
the lines that were not. What ends by a signal that cannot be caught (many of these tests do that) adds nothing.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ROOMS = ("capture", "analysis", "analysis/publish")
ENOUGH = 0.90


def ready(objects: Path) -> int:
    for notes in objects.rglob("*.gcno"):
        counts = notes.with_suffix(".gcda")
        counts.write_bytes(b"")
        counts.chmod(0o666)
    errors = objects / "errors"
    errors.write_bytes(b"")
    errors.chmod(0o666)
    return 0


def lines_run(objects: Path) -> dict[str, dict[int, int]]:
    """By file and line, how often; a header's line as often as all that include it ran it."""
    counts = defaultdict(lambda: defaultdict(int))
    files = [path for room in ROOMS for path in sorted((objects / room).glob("*.gcda")) if path.stat().st_size > 0]
    done = subprocess.run([os.environ.get("GCOV", "gcov"), "--json-format", "--stdout", *files], cwd=TOP,
                          stdout=subprocess.PIPE, check=True)
    for text in done.stdout.splitlines():
        for file in json.loads(text)["files"]:
            for line in file["lines"]:
                counts[file["file"]][line["line_number"]] += line["count"]
    return counts


def ranges(numbers: list[int]) -> str:
    text = []
    for number in numbers:
        if text and number == text[-1][1] + 1:
            text[-1][1] = number
        else:
            text.append([number, number])
    return " ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in text)


def tell(objects: Path) -> int:
    counts = lines_run(objects)
    enough = True
    for room in ROOMS:
        files = {name: lines for name, lines in counts.items() if os.path.dirname(name) == room}
        of = sum(len(lines) for lines in files.values())
        run = sum(count > 0 for lines in files.values() for count in lines.values())
        enough = enough and run >= ENOUGH * of > 0
        print(f"\n{room}/: {run} of {of} lines, {run / max(of, 1):.1%}")
        for name, lines in sorted(files.items()):
            missed = sorted(number for number, count in lines.items() if count == 0)
            if len(missed) > (1 - ENOUGH) * len(lines):
                print(f"  {name}: {1 - len(missed) / len(lines):.1%}, without {ranges(missed)}")
    errors = (objects / "errors").read_text(errors="replace").splitlines()
    if errors:
        print(f"\n{len(errors)} times counts could not be added, the first: {errors[0]}")
    return 0 if enough else 1


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] not in ("ready", "tell"):
        print(__doc__, file=sys.stderr)
        return 2
    return (ready if sys.argv[1] == "ready" else tell)(Path(sys.argv[2]).resolve())


if __name__ == "__main__":
    sys.exit(main())
