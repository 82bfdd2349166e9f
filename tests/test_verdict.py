# SPDX-License-Identifier: BSD-3-Clause
"""The history in its short form: one seed at the most telling taps. `make bench-verdict` plays all of it."""

import concurrent.futures
import datetime
import os
import re
import sys
from pathlib import Path

import pytest
from conftest import BUILD, TOP

sys.path.insert(0, str(TOP / "tests" / "bench"))
import verdict  # noqa: E402

RUNS = verdict.plan(1, short=True)


@pytest.fixture(scope="session")
def findings():
    """What every run of the short form came to, by scenario and tap."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return {(f.run.script.stem, f.run.tap): f for f in pool.map(lambda run: verdict.judge(Path(BUILD), run), RUNS)}


def mistakes(findings, scenarios, *kinds):
    chosen = {name: f for name, f in findings.items() if re.match(scenarios, name[0])}
    assert chosen
    return [(name, text) for name, f in chosen.items() for kind, text in f.mistakes if kind in kinds]


# -- the program ----------------------------------------------------------------------------------------------------


def test_no_look_alike_raises_an_outage_of_all(findings):
    assert mistakes(findings, "n", "look-alike") == []


def test_a_blind_sensor_is_told_and_never_an_outage(findings):
    assert mistakes(findings, "t[17]", "look-alike", "blind", "blindness missed") == []


def test_no_outage_is_called_a_blind_sensor(findings):
    assert mistakes(findings, "[ou]", "blind", "blindness invented") == []


def test_an_outage_of_all_without_forged_traffic_is_found(findings):
    assert mistakes(findings, "o(?!13|1.-lab)", "missed") == []


# -- the scenarios --------------------------------------------------------------------------------------------------


def test_every_documented_event_has_its_scenario_and_every_scenario_its_reasons():
    texts = {path.stem: path.read_text() for path in verdict.scripts()}
    for event in [f"O{i}" for i in range(1, 18)] + [f"N{i}" for i in range(1, 7)]:
        assert any(re.search(rf"^#.*\b{event}\b", text, re.MULTILINE) for text in texts.values()), event
    for name, text in texts.items():
        expects = text.split("\n[expect ")[1:]
        assert "both" in verdict.taps(verdict.HISTORY / f"{name}.ini")
        for expect in expects:
            assert re.match(r"(both|inward|outward|beyond|unicom|transtelecom)(-unlabelled)?\]", expect), name
            assert re.search(r"^because = .{8}", expect, re.MULTILINE), name
            assert set(re.search(r"^verdict = (.*)", expect, re.MULTILINE)[1].split()) <= {*verdict.VERDICTS, "none"}, name


# -- the yardstick --------------------------------------------------------------------------------------------------


def at(minute):
    when = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(minutes=minute)
    return when.isoformat().replace("+00:00", "Z")


def told(minute, action, said="internal", confidence=0.8, scope="all", onset=600, end=None, number="1"):
    if action.startswith("sensor"):
        return {"@timestamp": at(minute), "event": {"action": action}}
    return {"@timestamp": at(minute), "event": {"action": action},
            "outage": {"id": number, "scope": scope, "onset": at(onset), "phase": action.split("-")[1],
                       "end": None if end is None else at(end),
                       "cause": {"verdict": said, "confidence": confidence}}}


def found(events, script="o17-x", outage=True, fault=None, forged=False, verdicts=("internal",), scope=("all",), never=()):
    """A finding about an outage from minute 600 to 900 of a day."""
    truth = {"period": {"from": at(0), "to": at(1440)}, "tap_faults": [], "outages": [],
             "expect": {"both": {"verdict": list(verdicts), "scope": list(scope), "never": list(never), "because": ["x"]}}}
    if outage:
        truth["outages"] = [{"onset": at(600), "end": at(900), "recovered": at(900), "verdict": "internal", "scope": "all",
                             "onset_shape": "step", "flickers": []}]
    if fault:
        truth["tap_faults"] = [{"from": at(fault[0]), "to": at(fault[1]), "loses": "share", "share": 1.0}]
    if forged:
        truth["bends"] = [{"kind": "forged", "name": "x", "from": at(0), "to": at(1440)}]
    return verdict.Finding(verdict.Run(Path(f"{script}.ini"), "both", True, 1), truth, events)


def kinds(finding):
    return {kind for kind, _ in finding.mistakes}


WHOLE = [told(603, "outage-started"), told(915, "outage-ended", end=900)]


def test_the_yardstick_knows_right_from_unknown_wrong_and_missed():
    assert kinds(found(WHOLE)) == set() and found(WHOLE).calls == [(0.8, True)]
    assert found(WHOLE).delays == [(180, 600)]
    assert kinds(found([told(603, "outage-started", "unknown")])) == {"unknown"}
    assert kinds(found([told(603, "outage-started", "attack")])) == {"wrong"}
    assert kinds(found([])) == {"missed"}
    assert kinds(found([told(603, "outage-started", "service", scope="service:x")])) == {"missed"}
    late = [told(603, "outage-started", "unknown"), told(640, "outage-updated"), told(915, "outage-ended", end=900)]
    assert found(late).delays == [(2400, 600)] and kinds(found(late)) == {"late"}
    assert not verdict.requirements([found(late)])[5][3] and verdict.requirements([found(WHOLE)])[5][3]


def test_the_yardstick_lets_unknown_pass_where_a_tap_cannot_tell():
    may = {"verdicts": ("unknown", "internal")}
    assert kinds(found([told(603, "outage-started", "unknown")], **may)) == set()
    assert kinds(found(WHOLE, **may)) == set()
    assert kinds(found([told(603, "outage-started", "upstream")], **may)) == {"wrong"}


def test_the_yardstick_sees_false_alarms_and_look_alikes():
    no = {"outage": False, "verdicts": ("none",), "scope": ()}
    assert kinds(found([], **no)) == set()
    assert kinds(found(WHOLE, script="n1", never=("all",), **no)) == {"false alarm", "wrong", "never", "look-alike"}


def test_the_yardstick_tells_blindness_from_outages():
    sensor = [told(601, "sensor-impaired")]
    no = {"outage": False, "verdicts": ("none",), "scope": ("sensor",), "fault": (600, 660)}
    assert kinds(found(sensor, **no)) == set()
    assert kinds(found([], **no)) == {"blindness missed"}
    assert kinds(found(sensor + WHOLE, **no)) >= {"blind"}
    assert kinds(found(WHOLE + [told(700, "sensor-impaired")])) == {"blind"}
    assert kinds(found(WHOLE + [told(100, "sensor-impaired")])) == {"blindness invented"}


def test_the_yardstick_sees_forged_life():
    assert kinds(found(WHOLE, forged=True)) == set()
    assert kinds(found([], forged=True)) == {"missed", "forged"}
    early = [told(603, "outage-started"), told(715, "outage-ended", end=700)]
    assert kinds(found(early, forged=True)) == {"forged"}
    back = [told(603, "outage-started"), told(700, "outage-recovering"), told(915, "outage-ended", end=900)]
    assert kinds(found(back, forged=True)) == {"forged"}
