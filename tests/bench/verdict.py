#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The history as a test: is the verdict right, is it `unknown` where a tap cannot tell, and what is said wrongly?

    tests/bench/verdict.py BUILD_FOLDER [--seeds N] [--first N] [--jobs N] [--only GLOB] [--short] [--all] [--json FILE]

Plays every scenario of tests/synth/history at every tap position that its [expect ...] sections name, with path labels
(VLAN tags, and a configuration that names them) and without (tags stripped, no configuration), and holds the events of
build/lightsout against what the script expects. Prints the confusion table, how confidence is calibrated, each
requirement with `reached` or `MISSED`, and what went wrong; every single run is in the JSON file. --short is one seed and
the most telling positions, --all tells every mistake instead of one a kind. Exit status 0 whether or not all is reached.
"""

import argparse
import collections
import concurrent.futures
import datetime
import fnmatch
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HISTORY = Path(__file__).resolve().parents[1] / "synth" / "history"
VERDICTS = ("internal", "upstream", "withdrawal", "attack", "service", "unknown")
TAPS = {  # position: what the generator's --tap is told
    "both": "",
    "inward": "inward",
    "outward": "outward",
    "beyond": "beyond",
    "unicom": "path:china-unicom",
    "transtelecom": "path:transtelecom",
}
SLACK_S = 300  # an onset or end may be told this far from the truth
AFTERMATH_S = 3600  # in which what follows from an outage may still be told
SETTLED_S = 600

Run = collections.namedtuple("Run", "script tap labelled seed")


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# -- playing --------------------------------------------------------------------------------------------------------


def scripts(glob="*"):
    """The scenarios; the files that expect nothing are parts of them."""
    return [path for path in sorted(HISTORY.glob("*.ini")) if taps(path) and fnmatch.fnmatch(path.stem, glob)]


def taps(script):
    """The tap positions for which the script expects something."""
    named = re.findall(r"^\[expect (\w+)", script.read_text(), re.MULTILINE)
    return [tap for tap in TAPS if tap in named]


def plan(seeds, glob="*", short=False, first=1):
    """All runs, with so many seeds from a first one. The short form has one seed, `both` and `beyond`, and labels at every other scenario only."""
    runs = []
    for number, script in enumerate(scripts(glob)):
        for tap in taps(script):
            for seed in range(first, first + (1 if short else seeds)):
                for labelled in (True, False):
                    if not short or (tap in ("both", "beyond") and labelled == bool(number % 2)):
                        runs.append(Run(script, tap, labelled, seed))
    return runs


def configuration(folder, script):
    """The paths as an operator would name them: by the tags on the tap. Without tags he has nothing to write."""
    names = {"china-unicom": 101} if "one-upstream.ini" in script.read_text() else {"china-unicom": 101, "transtelecom": 102}
    path = folder / f"{len(names)}.conf"
    path.write_text("".join(f"[path {name}]\nvlan = {vlan}\n" for name, vlan in names.items()))
    return path


def play(build, run):
    """Plays one scenario through the program. Returns its truth and its events."""
    with tempfile.TemporaryDirectory(prefix="lightsout-verdict-") as name:
        folder = Path(name)
        words = ",".join(filter(None, (TAPS[run.tap], "" if run.labelled else "unlabelled")))
        make = [build / "synth", run.script, "--pcap", "-", "--truth", folder / "truth.json", "--seed", str(run.seed)]
        judge = [build / "lightsout", "-r", "-", "-q", "--sensor", "bench", "--events", folder / "events"]
        make += ["--tap", words] if words else []
        judge += ["--config", configuration(folder, run.script)] if run.labelled else []
        with subprocess.Popen(make, stdout=subprocess.PIPE) as maker:
            judged = subprocess.run(judge, stdin=maker.stdout, capture_output=True, text=True, check=False)
        if maker.returncode != 0 or judged.returncode != 0:
            raise RuntimeError(f"{run.script.stem} at {run.tap}: {judged.stderr.strip() or 'the generator failed'}")
        events = folder / "events"
        lines = events.read_text().splitlines() if events.exists() else []
        return json.loads((folder / "truth.json").read_text()), [json.loads(line) for line in lines]


# -- reading what was said ------------------------------------------------------------------------------------------


class Episode:
    """One outage as the program told it."""

    def __init__(self, events):
        last = events[-1]["outage"]
        self.scope = last["scope"]
        self.onset = seconds(last["onset"])
        self.told = seconds(events[0]["@timestamp"])
        self.ended = last["phase"] == "ended"
        self.end = seconds(last["end"]) if last.get("end") else float("inf")
        self.end_latest = seconds(last["end_latest"]) if last.get("end_latest") else self.end
        self.merged = bool(last.get("merged_into"))
        self.verdicts = [(seconds(e["@timestamp"]), e["outage"]["cause"]["verdict"], e["outage"]["cause"]["confidence"])
                         for e in events]
        self.returning = [seconds(e["@timestamp"]) for e in events if e["event"]["action"] == "outage-recovering"]
        _, self.verdict, self.confidence = self.verdicts[-1]

    def settled(self):
        """When it said its last verdict for good."""
        since = None
        for at, verdict, _ in self.verdicts:
            since = None if verdict != self.verdict else since if since is not None else at
        return since

    def overlaps(self, start, end):
        return min(self.onset, self.told) < end and self.end > start


def read_episodes(events):
    groups = collections.OrderedDict()
    for event in events:
        if event["event"]["action"].startswith("outage-"):
            groups.setdefault(event["outage"]["id"], []).append(event)
    return [episode for episode in map(Episode, groups.values()) if not episode.merged]


# -- judging --------------------------------------------------------------------------------------------------------


def stretches(truth):
    """What is out when; [real, scenery of it]. What fails outside of the watch list is neither."""
    real, scenery = [], []
    for outage in truth["outages"]:
        item = {"start": seconds(outage["onset"]), "end": seconds(outage["end"] or truth["period"]["to"]),
                "over": seconds(outage["recovered"] or truth["period"]["to"]), "verdict": outage["verdict"],
                "clean": outage["onset_shape"] == "step", "flickers": [(seconds(f["from"]), seconds(f["to"]))
                                                                      for f in outage["flickers"]]}
        if not outage["scope"].startswith("control:"):
            (scenery if outage["verdict"] == "none" else real).append(item)
    return real, scenery


def expectation(truth, run):
    expect = truth["expect"]
    return expect.get(run.tap + "-unlabelled", expect[run.tap]) if not run.labelled else expect[run.tap]


def flickers(outage, at):
    return any(start - SLACK_S <= at <= end + AFTERMATH_S for start, end in outage["flickers"])


class Finding:
    """What one run came to."""

    def __init__(self, run, truth, events):
        self.run = run
        self.expect = expectation(truth, run)
        self.real, self.scenery = stretches(truth)
        self.faults = [(seconds(f["from"]), seconds(f["to"]), f) for f in truth["tap_faults"]]
        self.forged = any(bend["kind"] == "forged" for bend in truth.get("bends", []))
        self.episodes = read_episodes(events)
        self.impaired = [seconds(e["@timestamp"]) for e in events if e["event"]["action"] == "sensor-impaired"]
        self.rows = []      # (expected, said): the confusion table
        self.calls = []     # (confidence, right): verdicts other than unknown
        self.delays = []    # (settled_s, allowed_s) of clean cases with the right verdict
        self.mistakes = []  # (kind, text)
        self.judge()

    def blame(self, kind, text):
        self.mistakes.append((kind, text))

    def judge(self):
        used = set()
        for outage in self.real:
            self.judge_outage(outage, used)
        for episode in self.episodes:
            if id(episode) not in used:
                self.judge_other(episode)
        if not self.real and not self.episodes:
            self.rows.append(("none", "nothing"))
        self.judge_sensor()
        for episode in self.episodes:
            if episode.scope in self.expect["never"]:
                self.blame("never", f"{episode.scope} is called out, which must not be")
                if episode.scope == "all" and all(outage["verdict"] == "service" for outage in self.real):
                    self.blame("look-alike", f"an outage of all: {episode.verdict}")

    def find(self, outage):
        found = [e for e in self.episodes if e.scope in self.expect["scope"] and
                 e.overlaps(outage["start"] - SLACK_S, outage["end"]) and e.end > outage["start"] + SLACK_S / 2]
        return max(found, key=lambda e: min(e.end, outage["end"]) - max(e.onset, outage["start"]), default=None)

    def judge_outage(self, outage, used):
        wanted, allowed = self.expect["verdict"][0], self.expect["verdict"]
        episode = self.find(outage)
        if episode is None:
            if self.expect["scope"]:
                self.rows.append((wanted, "nothing"))
                self.blame("missed", f"no outage of {' or '.join(self.expect['scope'])} is told")
                if self.forged:
                    self.blame("forged", "an outage is masked")
            return
        used.add(id(episode))
        self.rows.append((wanted, episode.verdict))
        if episode.verdict != "unknown":
            right = episode.verdict in allowed
            self.calls.append((episode.confidence, right))
            if not right:
                self.blame("wrong", f"{episode.scope}: {episode.verdict} ({episode.confidence}) for {' or '.join(allowed)}")
        elif wanted != "unknown":
            self.blame("unknown", f"{episode.scope}: unknown ({episode.confidence}) for {wanted}")
        if outage["clean"] and episode.verdict == wanted:
            settled, allowed = episode.settled() - outage["start"], max(SETTLED_S, 2 * (episode.told - outage["start"]))
            self.delays.append((settled, allowed))
            if settled > allowed:
                self.blame("late", f"{episode.scope}: {episode.verdict} was settled after {int(settled)} s")
        if self.forged:
            self.judge_forged(outage, episode)

    def judge_forged(self, outage, episode):
        # The best guess of a slow return may be early with nothing forged: it is the interval that must not be.
        if episode.end_latest < outage["end"] - SLACK_S and not flickers(outage, episode.end):
            self.blame("forged", f"{episode.scope} ends {int(outage['end'] - episode.end)} s too soon")
        early = [at for at in episode.returning if at < outage["end"] - 1 and not flickers(outage, at)]
        if early and any(at > outage["start"] for at in early):
            self.blame("forged", f"{episode.scope} is said to recover in the middle")

    def judge_other(self, episode):
        """An episode that no outage of the expected scope explains: a part of one, or a false alarm."""
        around = [o for o in self.real + self.scenery if episode.overlaps(o["start"] - SLACK_S, o["over"] + AFTERMATH_S)]
        allowed = {"unknown"}
        if around:
            allowed |= {o["verdict"] for o in around} | set(self.expect["verdict"])
            if episode.scope.startswith("service:"):
                allowed.add("service")
        elif "none" in self.expect["verdict"]:
            allowed |= set(self.expect["verdict"][1:])
        if not around:
            self.rows.append(("none", episode.verdict))
            self.blame("false alarm", f"{episode.scope}: {episode.verdict} though nothing is out")
        if episode.verdict != "unknown":
            self.calls.append((episode.confidence, episode.verdict in allowed))
        if episode.verdict not in allowed:
            self.blame("wrong", f"{episode.scope}: {episode.verdict} ({episode.confidence}) for {' or '.join(sorted(allowed))}")

    def judge_sensor(self):
        blind = [(start, end) for start, end, fault in self.faults if fault["share"] > 0.5 or fault["cuts_at"]]
        for start, end in blind:
            if "sensor" in self.expect["scope"] and not any(start <= at <= end + SLACK_S for at in self.impaired):
                self.blame("blindness missed", "a blind sensor is not told")
            for episode in self.episodes:
                known = any(episode.overlaps(o["start"] - SLACK_S, o["over"] + AFTERMATH_S) for o in self.real)
                if not known and start - SLACK_S <= episode.onset <= end:
                    self.blame("blind", f"a blind sensor is called an outage of {episode.scope}")
        for at in self.impaired:
            if any(start <= at <= end + SLACK_S for start, end in blind):
                continue
            if any(o["start"] <= at <= o["over"] + SLACK_S for o in self.real + self.scenery):
                self.blame("blind", "an outage is called a blind sensor")
            else:
                self.blame("blindness invented", "the sensor is called blind and is not")

    def record(self):
        return {"scenario": self.run.script.stem, "tap": self.run.tap, "labelled": self.run.labelled, "seed": self.run.seed,
                "expected": self.expect["verdict"], "because": self.expect["because"],
                "said": [{"scope": e.scope, "verdict": e.verdict, "confidence": e.confidence, "ended": e.ended}
                         for e in self.episodes],
                "mistakes": [{"kind": kind, "what": text} for kind, text in self.mistakes]}


def judge(build, run):
    return Finding(run, *play(build, run))


# -- adding up ------------------------------------------------------------------------------------------------------


def requirements(findings):
    """Each with its figure, the figure to reach, and whether it is reached."""
    rows = [row for f in findings for row in f.rows]
    demanded = [(wanted, said) for wanted, said in rows if wanted in VERDICTS and wanted != "unknown"]
    kinds = collections.Counter(kind for f in findings for kind, _ in f.mistakes)
    delays = [delay for f in findings for delay in f.delays]
    judged = sum(len(f.episodes) + sum(said == "nothing" for _, said in f.rows) for f in findings)
    right = sum(said in f.expect["verdict"] for f in findings for wanted, said in f.rows
                if wanted in VERDICTS and wanted != "unknown" and said != "unknown")
    share = right / max(1, len(demanded))
    wrong = kinds["wrong"] / max(1, judged)
    late = [settled for settled, allowed in delays if settled > allowed]
    return [
        ("right verdict where the tap can tell", f"{share:.1%} of {len(demanded)}", ">= 95 %", share >= 0.95),
        ("wrong verdict (not unknown) anywhere", f"{wrong:.1%} of {judged}", "<= 2 %", wrong <= 0.02),
        ("blind sensor called an outage, or an outage blind", str(kinds["blind"]), "0", kinds["blind"] == 0),
        ("look-alikes that raise an outage of all", str(kinds["look-alike"]), "0", kinds["look-alike"] == 0),
        ("forged traffic that masks or ends an outage", str(kinds["forged"]), "0", kinds["forged"] == 0),
        ("verdict settled late after a clean onset", f"{len(late)} of {len(delays)}" + (
            f", median {statistics.median(d for d, _ in delays) / 60:.1f} min" if delays else ""), "0", not late),
    ]


def confusion(findings):
    table = collections.Counter(row for f in findings for row in f.rows)
    said = [*VERDICTS, "nothing"]
    lines = ["expected \\ said".ljust(18) + "".join(word.rjust(12) for word in said)]
    for wanted in (*VERDICTS, "none"):
        if any(table[wanted, word] for word in said):
            lines.append(wanted.ljust(18) + "".join(str(table[wanted, word] or ".").rjust(12) for word in said))
    return lines


def calibration(findings):
    """By decile of confidence: how many verdicts, the mean confidence, the share that was right."""
    deciles = collections.defaultdict(list)
    for f in findings:
        for confidence, right in f.calls:
            deciles[min(9, int(confidence * 10))].append((confidence, right))
    return [{"from": decile / 10, "verdicts": len(some), "confidence": round(statistics.mean(c for c, _ in some), 3),
             "right": round(sum(r for _, r in some) / len(some), 3)} for decile, some in sorted(deciles.items())]


def report(findings, every):
    print(f"{len(findings)} runs of {len({f.run.script for f in findings})} scenarios\n")
    print("\n".join(confusion(findings)))
    print("\nconfidence   verdicts   said on average   were right")
    for row in calibration(findings):
        print(f"{row['from']:.1f} to {row['from'] + 0.1:.1f}{row['verdicts']:>11}{row['confidence']:>18.2f}{row['right']:>13.2f}")
    told = collections.OrderedDict()
    for f in findings:
        for kind, text in f.mistakes:
            told.setdefault((kind, f.run.script.stem, f.run.tap, text if every else kind), []).append((f.run, text))
    print()
    for (kind, script, tap, _), cases in sorted(told.items(), key=lambda item: item[0]):
        labels = sorted({"labelled" if run.labelled else "unlabelled" for run, _ in cases})
        print(f"{kind}: {script} at {tap}, {' and '.join(labels)}, {len(cases)} times: {cases[0][1]}")
    print()
    for name, figure, goal, reached in requirements(findings):
        print(f"{name:<52}{figure:>32}  {goal:>7}  {'reached' if reached else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=1, metavar="SEED")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="*", metavar="GLOB")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    runs = plan(options.seeds, options.only, options.short, options.first)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        findings = list(pool.map(lambda run: judge(options.build, run), runs))
    report(findings, options.all)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({
            "requirements": [dict(zip(("name", "figure", "goal", "reached"), row)) for row in requirements(findings)],
            "calibration": calibration(findings), "runs": [f.record() for f in findings]}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
