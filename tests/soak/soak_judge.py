# SPDX-License-Identifier: BSD-3-Clause
"""The truth held against what was told. Both are values as JSON has them, so that a soak can be judged again.

truth = {"begin", "end": seconds since the epoch,
         "outages": [{"scope", "alive", "inbound", "begin", "end"}],
         "blind": [{"who": "main", "tail" or "both", "why", "begin", "end"}],   whose sight was taken, and when
         "faults": [{"name", "begin", "end"}]}
"""

import collections
import datetime
import math

# How long a scope has to be dark, and seen to be, before not having told of it is a miss. 24 flows a second for `all`.
NEED_S = {"all": 15, "path": 20, "prefix": 30, "service": 30}
NEED_PARTIAL_S = 30
AFTER_BLIND_S = 5  # until it sees again what there is
LATE_S = 4  # an outage that has just ended may still be told
END_S = 90  # within which the end of an outage has to be told
CLOSE_S = 0.25  # answers on their way when it went dark, and the clocks of sender and kernel
HELD_SHARE = 0.9  # of the onset intervals, by contract
CHANCE = 0.01
BRIEF_S = 3  # so long a sensor may doubt itself by chance


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def kind(scope):
    return scope.partition(":")[0]


def sighted(outage, blind):
    """The longest stretch of an outage that could be seen."""
    at, longest = outage["begin"], 0.0
    for window in sorted(blind, key=lambda window: window["begin"]):
        if window["end"] + AFTER_BLIND_S <= at or window["begin"] >= outage["end"]:
            continue
        longest = max(longest, window["begin"] - at)
        at = max(at, window["end"] + AFTER_BLIND_S)
    return max(longest, outage["end"] - at)


def needed(outage):
    need = NEED_S[kind(outage["scope"])]
    return max(need, NEED_PARTIAL_S) if outage["alive"] else need


class Episode:
    """The events of one outage id. It may have begun as that of a narrower scope, which the wider one took over."""

    def __init__(self, events):
        last = events[-1]["outage"]
        self.id, self.scope, self.merged_into = last["id"], last["scope"], last.get("merged_into")
        self.actions = [event["event"]["action"] for event in events]
        self.told = min(seconds(event["@timestamp"]) for event in events if event["outage"]["scope"] == self.scope)
        self.onset = [seconds(last[key]) for key in ("onset_earliest", "onset", "onset_latest")]
        self.ended = seconds(events[-1]["@timestamp"]) if self.actions[-1] == "outage-ended" else None
        self.end = [seconds(last[key]) for key in ("end_earliest", "end", "end_latest")] if self.ended else None
        self.verdict = last["cause"]["verdict"]

    def in_order(self):
        return (self.actions[0] == "outage-started" and self.actions.count("outage-started") == 1 and
                self.actions.count("outage-ended") <= 1 and "outage-ended" not in self.actions[:-1])

    def is_of(self, outage):
        return (self.scope == outage["scope"] and self.told > outage["begin"] and self.told < outage["end"] + LATE_S and
                self.onset[0] < outage["end"])

    def describe(self):
        return {"id": self.id, "scope": self.scope, "told": self.told, "onset": self.onset, "ended": self.ended,
                "merged_into": self.merged_into}


def episodes_of(events):
    groups = collections.OrderedDict()
    for event in events:
        if "outage" in event:
            groups.setdefault(event["outage"]["id"], []).append(event)
    return [Episode(group) for group in groups.values()]


def is_blind(blind, begin, end):
    return any(window["begin"] - AFTER_BLIND_S <= end and begin <= window["end"] + AFTER_BLIND_S for window in blind)


def improbable(held, count, share):
    """Whether so few of so many is less than chance explains, where each is held with this probability."""
    return sum(math.comb(count, k) * share**k * (1 - share)**(count - k) for k in range(held + 1)) < CHANCE


def judge_impaired(events, blind, faults):
    """Sensor events where nothing took its sight, and how long they lasted. Mutated frames are shorter than they say, which
    may be told."""
    mutated = [{"begin": one["begin"], "end": one["end"] + 60} for one in faults if one["name"] == "mutate"]
    over = {event["sensor"]["id"]: seconds(event["@timestamp"]) for event in events
            if event["event"]["action"] == "sensor-restored"}
    for event in events:
        at = seconds(event["@timestamp"])
        if event["event"]["action"] != "sensor-impaired" or is_blind(blind, at - 1, at):
            continue
        if event["sensor"]["reason"] == "snaplen-changed" and is_blind(mutated, at, at):
            continue
        yield {"told": at, "lasts_s": over.get(event["sensor"]["id"], math.inf) - at, "message": event["message"]}


def judge_told(outage, found, blind, truth):
    """What is wrong with how an outage was told, or None."""
    if not found:
        return None if sighted(outage, blind) < needed(outage) else "missed"
    until = outage["end"] + END_S
    if found[-1].ended is None and until < truth["end"] and not is_blind(blind, outage["end"], until):
        return "never ended"
    for one in found:
        if one.ended is not None and one.ended < outage["end"] - 1 and not is_blind(blind, outage["begin"], one.ended):
            return "ended early"
    return None


def judge(truth, events, who):
    """What one program told. `wrong` holds a line for each thing that must not be."""
    blind = [window for window in truth["blind"] if window["who"] in (who, "both")]
    episodes = episodes_of(events)
    ids = [event["event"]["id"] for event in events]
    times = [seconds(event["@timestamp"]) for event in events]
    result = {"who": who, "events": len(events), "outages": len(truth["outages"]), "told": 0, "missed": 0, "unseen": 0,
              "merged": 0, "brief": 0,
              "onsets": 0, "onsets_held": 0, "ends": 0, "ends_held": 0, "delays_s": [], "verdicts": collections.Counter(),
              "wrong": []}
    matched = set()
    for outage in truth["outages"]:
        found = [one for one in episodes if one.is_of(outage)]
        matched.update(one.id for one in found)
        trouble = judge_told(outage, found, blind, truth)
        if trouble:
            result["wrong"].append({"what": trouble, "outage": outage, "episodes": [one.describe() for one in found]})
        result["told"] += bool(found)
        result["missed"] += trouble == "missed"
        result["unseen"] += not found and trouble is None
        if not found or is_blind(blind, outage["begin"] - AFTER_BLIND_S, found[0].told):
            continue
        result["onsets"] += 1
        result["onsets_held"] += found[0].onset[0] - CLOSE_S <= outage["begin"] <= found[0].onset[2] + CLOSE_S
        result["delays_s"].append(round(found[0].told - outage["begin"], 1))
        result["verdicts"][f"{outage['inbound']}: {found[0].verdict}"] += 1
        if found[0].end and not is_blind(blind, outage["end"] - AFTER_BLIND_S, outage["end"]):
            result["ends"] += 1
            result["ends_held"] += found[0].end[0] - CLOSE_S <= outage["end"] <= found[0].end[2] + CLOSE_S
    wrong = result["wrong"]
    for one in episodes:
        # A narrower scope that was told before the wider one was sure.
        if one.merged_into in matched:
            result["merged"] += 1
        elif one.id not in matched:
            wrong.append({"what": "told and not so", "episode": one.describe()})
        if not one.in_order():
            wrong.append({"what": "not the life of an outage", "episode": one.describe(), "actions": one.actions})
    result["false"] = sum(one["what"] == "told and not so" for one in wrong)
    for number, count in collections.Counter(ids).items():
        if count > 1:
            wrong.append({"what": "told twice", "id": number, "times": count})
    for before, after, number in zip(times, times[1:], ids[1:]):
        if after < before:
            wrong.append({"what": "out of order", "id": number})
    for one in judge_impaired(events, blind, truth["faults"]):
        if one["lasts_s"] > BRIEF_S:
            wrong.append({"what": "impaired and not so", **one})
        else:
            result["brief"] += 1
    if improbable(result["onsets_held"], result["onsets"], HELD_SHARE):
        wrong.append({"what": "onset intervals", "held": result["onsets_held"], "of": result["onsets"]})
    return result


SLOW_S = 20  # a clock that was set back holds up what is told


def judge_stepped(truth, arrivals):
    """What was told by a program whose clock was set, as it arrived: its own times say nothing. Outages that there were may
    be told late, and no others."""
    return [{"what": "told and not so", "program": "stepped", "at": at, "message": event["message"]} for at, event in arrivals
            if event["event"]["action"] == "outage-started" and
            not any(one["begin"] < at < one["end"] + LATE_S + SLOW_S for one in truth["outages"])]


# --- what it takes ---

WARM_S = 1200  # until its tables are about as full as they get
GROWTH_KIB = 4096  # so much a life may grow from the first quarter of what comes then to the last …
GROWTH_SHARE = 0.1  # … or by this share
LIFE_SAMPLES = 40  # less says nothing


def median(values):
    return sorted(values)[len(values) // 2]


def slope_a_hour(samples):
    """Theil and Sen: the median of the slopes between samples far apart, KiB an hour."""
    half = len(samples) // 2
    slopes = [(samples[i + half]["rss_kib"] - samples[i]["rss_kib"]) / (samples[i + half]["at"] - samples[i]["at"])
              for i in range(len(samples) - half)]
    return 3600 * median(slopes)


def judge_life(samples):
    """How memory and descriptors went from the start of a process to its end: memory once it is warm, if it lived so long;
    of descriptors and threads the fewest of late against what was usual at first, for connections come and go."""
    if len(samples) < LIFE_SAMPLES:
        return None
    quarter = len(samples) // 4
    late = samples[-quarter:]
    warm = [one for one in samples if one["at"] - samples[0]["at"] >= WARM_S]
    is_long = len(warm) >= LIFE_SAMPLES
    part = len(warm) // 4 if is_long else quarter
    begin, end = (median([one["rss_kib"] for one in some]) for some in ((warm if is_long else samples)[:part], samples[-part:]))
    fds, threads = ([median([one[key] for one in samples[:quarter]]), min(one[key] for one in late)] for key in ("fds", "threads"))
    return {"seconds": round(samples[-1]["at"] - samples[0]["at"]), "rss_kib": [samples[0]["rss_kib"], samples[-1]["rss_kib"]],
            "warm": is_long, "quarters_kib": [begin, end],
            "slope_kib_an_hour": round(slope_a_hour(warm if is_long else samples)), "fds": fds,
            "threads": threads, "peak_kib": max(one["peak_kib"] for one in samples),
            "leaks": is_long and end - begin > max(GROWTH_KIB, GROWTH_SHARE * begin), "keeps_fds": fds[1] > fds[0],
            "keeps_threads": threads[1] > threads[0]}
