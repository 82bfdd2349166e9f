# SPDX-License-Identifier: BSD-3-Clause
"""Whether the soak would notice: what it judges by, on a recorded soak and on what is made wrong in it, and its world."""

import copy
import json
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[0] / "analysis/publish")]
from soak_faults import FAULTS  # noqa: E402
from soak_judge import GROWTH_KIB, improbable, judge, judge_life, seconds, sighted  # noqa: E402
from soak_plan import CALM_S, HARMLESS, KINDS, LEARN_S, Outage, Planned, plan  # noqa: E402
from soak_replay import replay, replay_plan  # noqa: E402
from soak_world import Host, World  # noqa: E402


LIGHTSOUT = os.environ.get("LIGHTSOUT", str(HERE.parents[1] / "build/lightsout"))


@pytest.fixture
def truth():
    return json.loads((HERE / "recorded/truth.json").read_text())


@pytest.fixture
def events():
    return [json.loads(line) for line in (HERE / "recorded/main.ndjson").read_text().splitlines()]


def wrong(truth, events):
    return [one["what"] for one in judge(truth, events, "main")["wrong"]]


def of(events, scope):
    return [event for event in events if event.get("outage", {}).get("scope") == scope]


def test_a_soak_as_it_was_recorded_has_nothing_wrong(truth, events):
    result = judge(truth, events, "main")
    assert result["wrong"] == []
    assert result["told"] == result["outages"] == len(truth["outages"]) > 3
    assert result["missed"] == result["false"] == 0 and result["onsets_held"] > 0


def test_an_outage_that_was_not_told_is_missed(truth, events):
    scope = truth["outages"][0]["scope"]
    number = of(events, scope)[0]["outage"]["id"]
    assert wrong(truth, [event for event in events if event.get("outage", {}).get("id") != number]) == ["missed"]
    assert wrong(truth, []) == ["missed"] * len(truth["outages"])


def test_an_outage_that_could_not_be_seen_is_not_missed(truth):
    truth["outages"] = truth["outages"][:1]
    dark = truth["outages"][0]
    truth["blind"] = [{"who": "main", "why": "", "begin": dark["begin"] - 1, "end": dark["end"] - 5}]
    assert wrong(truth, []) == []
    assert wrong({**truth, "blind": [{**truth["blind"][0], "who": "tail"}]}, []) == ["missed"]


def test_an_outage_that_was_not_is_false(truth, events):
    gone = truth["outages"].pop(0)
    assert wrong(truth, events) == ["told and not so"]
    # Not even a sensor that is blind may tell one.
    truth["blind"].append({"who": "main", "why": "", "begin": gone["begin"] - 1, "end": gone["end"] + 60})
    assert "told and not so" in wrong(truth, events)


def test_another_scope_is_no_outage_of_this_one(truth, events):
    number = of(events, "all")[0]["outage"]["id"]
    for event in events:
        if event.get("outage", {}).get("id") == number:
            event["outage"]["scope"] = "prefix:192.0.2.0/24"
    assert sorted(wrong(truth, events)) == ["missed", "told and not so"]


def test_an_outage_that_ends_while_it_is_dark_or_never_is_told(truth, events):
    number = next(event["outage"]["id"] for event in events if event["event"]["action"] == "outage-ended")
    assert "never ended" in wrong(truth, [event for event in events if event.get("outage", {}).get("id") != number or
                                          event["event"]["action"] != "outage-ended"])
    episode = [event for event in events if event.get("outage", {}).get("id") == number]
    longer = copy.deepcopy(truth)
    dark = next(one for one in longer["outages"] if one["begin"] < seconds(episode[0]["@timestamp"]) < one["end"])
    dark["end"] = seconds(episode[-1]["@timestamp"]) + 30
    assert "ended early" in wrong(longer, events)


def test_what_a_wider_scope_takes_over_is_part_of_its_outage(truth, events):
    narrow = copy.deepcopy(of(events, "all"))
    for event in narrow:
        event["outage"].update(scope="prefix:192.0.2.0/24", id="narrow", merged_into=of(events, "all")[0]["outage"]["id"])
        event["event"]["id"] += "-narrow"
    both = sorted([*events, *narrow[:1]], key=lambda event: event["@timestamp"])
    result = judge(truth, both, "main")
    assert result["wrong"] == [] and result["merged"] == 1
    for event in narrow:
        event["outage"]["merged_into"] = "another"
    assert wrong(truth, both) == ["told and not so"]


def test_events_that_come_twice_or_in_another_order_are_told(truth, events):
    assert "told twice" in wrong(truth, [*events, events[-1]])
    assert "out of order" in wrong(truth, [events[1], events[0], *events[2:]])
    assert "not the life of an outage" in wrong(truth, events[1:] if "outage" in events[0] else events[:1] + events[2:])


def test_a_sensor_that_calls_itself_impaired_and_was_not_is_told(truth, events):
    impaired = {"@timestamp": events[-1]["@timestamp"], "message": "", "event": {"id": "x", "action": "sensor-impaired"},
                "sensor": {"id": "x", "reason": "control-low"}}
    at = seconds(impaired["@timestamp"])
    truth["blind"] = [one for one in truth["blind"] if one["end"] < at - 10]
    assert "impaired and not so" in wrong(truth, [*events, impaired])
    restored = {**impaired, "event": {"id": "y", "action": "sensor-restored"}}
    assert "impaired and not so" not in wrong(truth, [*events, impaired, restored])  # a moment's doubt is counted only
    truth["blind"].append({"who": "both", "why": "", "begin": at - 3, "end": at})
    assert "impaired and not so" not in wrong(truth, [*events, impaired])


def test_onset_intervals_that_hold_too_seldom_are_told(truth, events):
    for event in events:
        if "outage" in event:
            event["outage"]["onset_latest"] = event["outage"]["onset_earliest"]
    assert "onset intervals" in wrong(truth, events)
    assert improbable(5, 10, 0.9) and not improbable(8, 10, 0.9)


def test_what_could_be_seen_of_an_outage_lies_between_the_blind_windows():
    dark = {"begin": 100, "end": 200}
    assert sighted(dark, []) == 100
    assert sighted(dark, [{"begin": 90, "end": 110}]) == 85
    assert sighted(dark, [{"begin": 150, "end": 160}]) == 50
    assert sighted(dark, [{"begin": 160, "end": 165}, {"begin": 110, "end": 120}]) == 35
    assert sighted(dark, [{"begin": 0, "end": 300}]) == 0
    assert sighted(dark, [{"begin": 0, "end": 90}, {"begin": 210, "end": 230}]) == 100


def life(rss, fds=lambda _: 9):
    return [{"at": 5.0 * i, "rss_kib": rss(i), "peak_kib": rss(i), "fds": fds(i), "threads": 3} for i in range(480)]


def test_a_life_that_takes_more_and_more_leaks_and_one_that_fills_its_tables_does_not():
    assert not judge_life(life(lambda i: 50000 + min(i, 200) * 100))["leaks"]
    assert not judge_life(life(lambda i: 50000 + i * 100)[:200])["leaks"]  # too short to tell
    assert not judge_life(life(lambda i: 50000 + i % 7 * 1000))["leaks"]
    leaking = judge_life(life(lambda i: 50000 + i * 100))
    assert leaking["leaks"] and leaking["slope_kib_an_hour"] == 72000
    assert leaking["quarters_kib"][1] - leaking["quarters_kib"][0] > GROWTH_KIB
    assert not judge_life(life(lambda _: 50000, lambda i: 9 + 30 * (i % 20 == 0)))["keeps_fds"]
    assert judge_life(life(lambda _: 50000, lambda i: 9 + i // 60))["keeps_fds"]
    assert judge_life(life(lambda _: 50000)[:10]) is None


def test_a_plan_is_the_same_again_and_every_fault_of_it_can_be_done():
    planned = plan(7, 3600)
    assert planned == plan(7, 3600) != plan(8, 3600)
    assert set(KINDS) == set(FAULTS)
    assert {one.name for one in planned} >= set(HARMLESS) | {"dark"}
    assert all(LEARN_S <= one.at and one.at + one.lasts <= 3600 - CALM_S for one in planned)
    dark = [one for one in planned if one.outage is not None]
    assert all(before.at + before.lasts + 30 < after.at for before, after in zip(dark, dark[1:]))
    held = [(resource, one) for one in planned if one.name in KINDS for resource in KINDS[one.name].takes]
    for number, (resource, one) in enumerate(held):
        assert not any(other == resource and one.at < last.at + last.lasts for other, last in held[:number])


class Heard:
    def __init__(self):
        self.frames = []

    def send(self, frame):
        self.frames.append(frame)


def speakers(*commands, seconds_long=20):
    """Which watched hosts speak in the world's next seconds, and which are spoken to."""
    world = World(Heard(), 5)
    for command in commands:
        world.obey(command.split())
    for number in range(seconds_long * 20):
        world.flow(number / 20)
    world.due(1e9)
    hosts = {host.address: host for host in world.hosts}
    frames = world.wire.frames
    return ([hosts[frame[30:34]] for frame in frames if frame[30:34] in hosts],
            [hosts[frame[34:38]] for frame in frames if frame[34:38] in hosts])


def test_the_world_is_dark_where_it_is_told_to_be_and_nowhere_else():
    said, asked = speakers()
    assert {host.address for host in said} == {host.address for host in asked} and len({host.address for host in said}) == 32
    for scope in ("all", "path:north", "prefix:203.0.113.0/24", "service:www.example.com"):
        said, asked = speakers(f"dark {scope} 0 persists")
        assert not any(scope in host.scopes for host in said)
        assert any(scope in host.scopes for host in asked)
        assert bool(said) == (scope != "all")
    said, asked = speakers("dark all 0 ceases")
    assert not said and not asked
    assert len(speakers("dark path:south 0 ceases", "light")[0]) == len(speakers()[0])
    spared = len(speakers("dark all 0.1 persists", seconds_long=200)[0]) / len(speakers(seconds_long=200)[0])
    assert 0.05 < spared < 0.15
    assert speakers("mute on") == ([], [])


def test_what_is_mutated_keeps_its_addresses():
    world = World(Heard(), 3)
    world.obey(["mutate", "on"])
    for number in range(1000):
        world.flow(number)
    whole = {bytes(host.address) for host in world.hosts}
    world.due(1e9)
    assert all(frame[30:34] in whole or frame[34:38] in whole for frame in world.wire.frames if len(frame) >= 38)
    assert isinstance(Host(0, 0).scopes, set)


# --- what soaks found, in data time ---


def dark(scope, at, lasts, alive=0.0):
    return Planned(at, lasts, "dark", Outage(scope, alive, "persists"))


def mute(at, lasts):
    return Planned(at, lasts, "mute", None)


def assert_told(folder, seed, planned, length_s):
    result, events = replay(LIGHTSOUT, folder, seed, planned, length_s)
    assert result["wrong"] == []
    assert result["told"] == result["outages"] and result["merged"] == 0
    return events


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_path_that_goes_dark_again_and_again_is_told_each_time(tmp_path, seed):
    assert_told(tmp_path, seed, [dark("path:south", 100 + 90 * i, 40) for i in range(6)], 660)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_outage_that_the_sensor_sees_again_after_a_blind_moment_blinds_it_no_more(tmp_path, seed):
    events = assert_told(tmp_path, seed, [dark("path:north", 300, 60), mute(302, 14)], 420)
    assert [event["event"]["action"] for event in events if "sensor" in event] == ["sensor-impaired", "sensor-restored"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_seen_again_of_an_outage_that_was_told_is_part_of_it(tmp_path, seed):
    assert_told(tmp_path, seed, [dark("path:north", 300, 60), mute(310, 10)], 420)


@pytest.mark.parametrize("at", [120, 400])
def test_the_end_of_a_surge_beside_the_watched_side_is_no_blindness(tmp_path, at):
    surge = Planned(at, 6, "surge", None)
    events = assert_told(tmp_path, 1, [surge, dark("all", at + 30, 40)], at + 120)
    assert not any("sensor" in event for event in events)


@pytest.mark.parametrize("seed", [1, 5, 6])
def test_a_plan_in_data_time_has_each_outage_told_and_no_other(tmp_path, seed):
    result, _ = replay_plan(LIGHTSOUT, tmp_path, seed, 1800)
    assert result["wrong"] == []
    assert result["missed"] == result["false"] == 0 and result["told"] > 10
