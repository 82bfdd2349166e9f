# SPDX-License-Identifier: BSD-3-Clause
"""The sample capture, told: one blackout, its onset where the truth has it, and the same bytes whichever way it is read."""

import datetime
import json
import subprocess

import jsonschema
import pytest
from conftest import SAMPLE, TOP, read_events


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def events_of(lightsout, folder, name, *inputs):
    path = folder / name
    arguments = [word for one in inputs for word in ("-r", one)]
    lightsout(*arguments, "--sensor", "test", "--events", path, "-q")
    return path


def test_the_blackout_is_found_once_and_nothing_else(lightsout, tmp_path):
    truth = json.loads((TOP / "samples" / "blackout-2025-06.json").read_text())["outages"][0]
    events = read_events(events_of(lightsout, tmp_path, "events", SAMPLE))
    actions = [event["event"]["action"] for event in events]
    assert actions.count("outage-started") == 1 and actions.count("outage-ended") == 1
    assert actions[0] == "outage-started" and actions[-1] == "outage-ended"
    assert {event["outage"]["id"] for event in events} == {events[0]["outage"]["id"]}
    assert {event["outage"]["scope"] for event in events} == {"all"}

    ended = events[-1]["outage"]
    assert instant(ended["onset_earliest"]) <= instant(truth["onset"]) <= instant(ended["onset_latest"])
    assert instant(ended["end_earliest"]) <= instant(truth["end"]) <= instant(ended["end_latest"])
    assert ended["cause"]["verdict"] == truth["verdict"] == "internal"
    assert ended["severity"] == "total"
    # Decisions never lie before the evidence, and an operator is told within ten minutes.
    started = events[0]
    delay = instant(started["@timestamp"]) - instant(truth["onset"])
    assert datetime.timedelta(0) < delay < datetime.timedelta(minutes=10)


def test_a_capture_that_begins_with_an_answer_has_the_outage_where_it_was(lightsout, sample_pcap, tmp_path):
    truth = json.loads((TOP / "samples" / "blackout-2025-06.json").read_text())["outages"][0]
    answers = subprocess.run(["tshark", "-r", sample_pcap, "-c", "20000", "-Y", "tcp.flags == 0x12 && ip.src == 175.45.176.0/22",
                              "-T", "fields", "-e", "frame.number"], capture_output=True, text=True, check=True).stdout.split()
    for number in answers[100:700:100]:
        cut = tmp_path / f"{number}.pcap"
        subprocess.run(["editcap", "-F", "pcap", "-r", sample_pcap, cut, f"{number}-10000000"], check=True)
        started, = (event["outage"] for event in read_events(events_of(lightsout, tmp_path, number, cut))
                    if event["event"]["action"] == "outage-started")
        assert instant(started["onset_earliest"]) <= instant(truth["onset"]) <= instant(started["onset_latest"]), number
        assert instant(started["onset_latest"]) - instant(started["onset_earliest"]) < datetime.timedelta(minutes=10)


def test_every_event_keeps_to_the_schema(lightsout, tmp_path):
    schema = json.loads((TOP / "samples" / "events.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    events = read_events(events_of(lightsout, tmp_path, "events", SAMPLE))
    assert len({event["event"]["id"] for event in events}) == len(events) > 3
    for event in events:
        validator.validate(event)


def test_the_same_bytes_twice_split_and_through_a_pipe(lightsout, sample_pcap, tmp_path):
    once = events_of(lightsout, tmp_path, "once", SAMPLE).read_bytes()
    assert once and once == events_of(lightsout, tmp_path, "twice", SAMPLE).read_bytes()
    assert once == events_of(lightsout, tmp_path, "plain", sample_pcap).read_bytes()

    hours = tmp_path / "hours"
    hours.mkdir()
    subprocess.run(["editcap", "-F", "pcap", "-i", "3600", sample_pcap, hours / "hour.pcap"], check=True)
    assert len(list(hours.iterdir())) == 48
    assert once == events_of(lightsout, tmp_path, "split", hours).read_bytes()

    with sample_pcap.open("rb") as pipe:
        done = lightsout("-r", "-", "--sensor", "test", "--events", "-", stdin=pipe)
    assert done.stdout.encode() == once

    subprocess.run(["editcap", "-F", "pcapng", sample_pcap, tmp_path / "ng"], check=True)
    subprocess.run(["gzip", tmp_path / "ng"], check=True)
    assert once == events_of(lightsout, tmp_path, "pcapng", tmp_path / "ng.gz").read_bytes()


def test_bins_and_flows_are_the_same_when_the_capture_is_split(lightsout, sample_pcap, tmp_path):
    hours = tmp_path / "hours"
    hours.mkdir()
    subprocess.run(["editcap", "-F", "pcap", "-i", "5000", sample_pcap, hours / "part.pcap"], check=True)
    for name, path in (("one", SAMPLE), ("many", hours)):
        lightsout("-r", path, "-q", "--bins", tmp_path / f"{name}.csv", "--flows", tmp_path / f"{name}.flows")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()
    assert (tmp_path / "one.flows").read_bytes() == (tmp_path / "many.flows").read_bytes()


def test_bins_read_back_tell_the_same_outage(lightsout, tmp_path):
    lightsout("-r", SAMPLE, "-q", "--bins", tmp_path / "bins.csv")
    lightsout("-b", tmp_path / "bins.csv", "-q", "--sensor", "test", "--events", tmp_path / "again", "--bins",
              tmp_path / "again.csv")
    events = read_events(tmp_path / "again")
    actions = [event["event"]["action"] for event in events]
    assert actions.count("outage-started") == 1 and actions.count("outage-ended") == 1
    assert {event["outage"]["scope"] for event in events} == {"all"}
    onset = instant("2025-06-06T17:23:41.600000Z")
    outage = events[0]["outage"]
    assert instant(outage["onset_earliest"]) <= onset <= instant(outage["onset_latest"])
    # The measures are what was read.
    strip = [[row.split(",")[:14] + row.split(",")[-2:] for row in sorted(path.read_text().splitlines())]
             for path in (tmp_path / "bins.csv", tmp_path / "again.csv")]
    assert strip[0] == strip[1]


@pytest.mark.parametrize("seconds", [10, 600, 1200, 3600])
def test_bins_of_any_length_tell_one_outage_and_no_wrong_cause(lightsout, tmp_path, seconds):
    # A service that came back in the very bin in which the outage of all ended was once told as down.
    lightsout("-r", SAMPLE, "-q", "--bin", seconds, "--bins", tmp_path / "bins.csv")
    lightsout("-b", tmp_path / "bins.csv", "-q", "--events", tmp_path / "events")
    events = read_events(tmp_path / "events")
    actions = [event["event"]["action"] for event in events]
    assert actions.count("outage-started") == 1 and actions.count("outage-ended") == 1
    assert {event["outage"]["scope"] for event in events} == {"all"}
    assert events[-1]["outage"]["cause"]["verdict"] in ("internal", "unknown")
    outage = events[-1]["outage"]
    late = instant(outage["onset"]) - instant("2025-06-06T17:23:41.600000Z")
    assert abs(late.total_seconds()) < 60 + seconds / 4
    late = instant(outage["end"]) - instant("2025-06-07T02:30:12.400000Z")
    assert abs(late.total_seconds()) < 300 + seconds / 2


def test_a_capture_that_ends_inside_leaves_the_episode_open(lightsout, sample_pcap, tmp_path):
    part = tmp_path / "part.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-B", "2025-06-06T23:00:00Z", sample_pcap, part], check=True)
    events = read_events(events_of(lightsout, tmp_path, "events", part))
    assert [event["event"]["action"] for event in events].count("outage-ended") == 0
    assert "ongoing when the capture ends" in lightsout("-r", part).stdout
