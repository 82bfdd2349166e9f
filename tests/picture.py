#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws what a table of bins holds: tests/picture.py BINS SCOPE:MEASURE[=TITLE] ... >picture.svg

A strip for each, means of ten minutes over one axis of time; what was told as an outage is red, what the sensor did not
see grey. The same table gives the same bytes."""

import csv
import sys
from datetime import datetime, timedelta, timezone

WIDTH, LEFT, RIGHT, TOP, STRIP, BETWEEN, BOTTOM = 720, 44, 20, 22, 70, 30, 22
MINUTES = 10
SHADES = {"down": "#e5484d", "recovering": "#e5484d", "blind": "#80838d"}


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Strip:
    def __init__(self, rows, what):
        self.name, _, self.title = what.partition("=")
        self.scope, _, measure = self.name.rpartition(":")
        mine = [row for row in rows if row["scope"] == self.scope]
        self.states = [(instant(row["time"]), row["state"]) for row in mine]
        sums = {}
        for row in mine:
            begin = instant(row["time"])
            begin -= timedelta(minutes=begin.minute % MINUTES)
            if row[measure]:
                sums.setdefault(begin, []).append(float(row[measure]))
        self.means = {begin: sum(values) / len(values) for begin, values in sums.items()}
        self.most = max(self.means.values(), default=1) or 1

    def shades(self):
        """(state, from, to) for what should be seen at a glance."""
        begun = None
        for time, state in [*self.states, (self.states[-1][0] + timedelta(minutes=1), "")]:
            if begun and SHADES.get(state) != SHADES[begun[1]]:
                yield begun[1], begun[0], time
                begun = None
            if not begun and state in SHADES:
                begun = (time, state)


def draw(rows, wanted):
    strips = [Strip(rows, what) for what in wanted]
    first, last = instant(rows[0]["time"]), instant(rows[-1]["time"]) + timedelta(minutes=1)
    across = lambda time: LEFT + (WIDTH - LEFT - RIGHT) * ((time - first) / (last - first))
    height = TOP + len(strips) * (STRIP + BETWEEN) - BETWEEN + BOTTOM
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
           'font-size="11" fill="#30333b">')
    yield f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>'
    for number, strip in enumerate(strips):
        top = TOP + number * (STRIP + BETWEEN)
        yield f'<text x="{LEFT}" y="{top - 7}">{strip.title or strip.name}</text>'
        for state, begin, end in strip.shades():
            yield (f'<rect x="{across(begin):.1f}" y="{top}" width="{across(end) - across(begin):.1f}" height="{STRIP}" '
                   f'fill="{SHADES[state]}" opacity="0.25"><title>{state}</title></rect>')
        down = lambda value: top + STRIP * (1 - value / strip.most)
        points = []
        for begin, mean in sorted(strip.means.items()):
            ends = (max(begin, first), min(begin + timedelta(minutes=MINUTES), last))
            points += [f"{across(time):.1f},{down(mean):.1f}" for time in ends]
        yield f'<polyline points="{" ".join(points)}" fill="none" stroke="#2f6fde" stroke-width="1.5"/>'
        yield f'<path d="M{LEFT} {top}V{top + STRIP}H{WIDTH - RIGHT}" fill="none" stroke="#9b9ea7"/>'
        yield f'<text x="{LEFT - 6}" y="{top + 9}" text-anchor="end">{strip.most:.3g}</text>'
        yield f'<text x="{LEFT - 6}" y="{top + STRIP}" text-anchor="end">0</text>'
    hour = first.replace(minute=0, second=0)
    while hour <= last:
        if hour.hour % 3 == 0 and hour >= first:
            yield f'<text x="{across(hour):.1f}" y="{height - 7}" text-anchor="middle">{hour.astimezone(timezone.utc):%H:%M}</text>'
        hour += timedelta(hours=1)
    yield "</svg>"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with open(sys.argv[1], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    print("\n".join(draw(rows, sys.argv[2:])))


if __name__ == "__main__":
    main()
