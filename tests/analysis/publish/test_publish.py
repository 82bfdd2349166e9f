# SPDX-License-Identifier: BSD-3-Clause
"""The files that the letterbox writes: events against the schema, the summary, the report."""

import html.parser
import json
import re
import subprocess

import jsonschema
import pytest

from redis_server import DRIVE, SCHEMA, drive


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "events.ndjson"
    assert drive(["event 64"], "--events", path) == (0, "")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_event_is_valid(events, validator):
    assert len(events) == 64
    assert len({event["event"]["action"] for event in events}) == 6
    for event in events:
        validator.validate(event)
    assert len({event["event"]["id"] for event in events}) == 64


def test_the_schema_notices_what_is_not_in_it(events, validator):
    start = next(event for event in events if event["event"]["action"] == "outage-started")
    for spoil in (lambda e: e["outage"].update(surprise=1), lambda e: e["outage"].pop("onset"),
                  lambda e: e["outage"].update(end=e["outage"]["onset"]), lambda e: e["event"].update(type=["end"]),
                  lambda e: e["outage"].update(depth=1.5), lambda e: e.update({"@timestamp": "2025-06-07 00:14:09"}),
                  lambda e: e["outage"].update(recovery={"order": []}), lambda e: e["event"].update(kind="state")):
        spoiled = json.loads(json.dumps(start))
        spoil(spoiled)
        assert not validator.is_valid(spoiled)


def test_fields_stand_in_the_order_of_the_contract(events):
    start = next(event for event in events if event["event"]["action"] == "outage-started")
    assert list(start) == ["@timestamp", "ecs", "event", "observer", "message", "outage"]
    assert list(start["event"]) == ["kind", "category", "type", "module", "dataset", "action", "id", "severity", "start"]
    assert list(start["outage"]) == [
        "schema", "id", "scope", "phase", "onset", "onset_earliest", "onset_latest", "depth", "severity",
        "expected_rate", "observed_rate", "log_odds", "delay_s", "signal", "cause", "prefixes", "paths", "services",
        "hosts"]


def test_the_same_run_writes_the_same_bytes(tmp_path):
    written = []
    for run in ("a", "b"):
        folder = tmp_path / run
        folder.mkdir()
        names = [folder / name for name in ("events", "bins", "flows", "report")]
        status, _ = drive(["bin 4000", "flow 3000", "event 64"], "--events", names[0], "--bins", names[1], "--flows",
                          names[2], "--report", names[3])
        assert status == 0
        written.append([name.read_bytes() for name in names])
    assert written[0] == written[1]


def run_summary(lines):
    done = subprocess.run([DRIVE, "--summary"], input="".join(line + "\n" for line in lines), text=True,
                          stdout=subprocess.PIPE, check=True)
    return done.stdout


def test_the_summary_tells_it_in_80_columns():
    text = run_summary(["bin 600", "event 11"])
    assert max(map(len, text.splitlines())) <= 80
    for expected in ("packets    1,000,000, of them watched 2,500 (0.25 %)",
                     "period     2025-06-06 12:00:00 to 14:00:00 UTC",
                     "baseline   7.1 answered flows a minute",
                     "outage     all: total",
                     "onset    2025-06-06 12:10:00 UTC (12:09:59 to 12:10:17)",
                     "end      2025-06-06 12:46:38 UTC",
                     "lasted   36 min 39 s",
                     "cause    internal (86 %)",
                     "outage     prefix:175.45.176.0/24: total",
                     "end      ongoing when the capture ends",
                     "sensor     impaired",
                     "600 packets of which the snapshot length took a part"):
        assert expected in text, expected


def test_the_summary_of_nothing_says_so():
    text = run_summary(["sleep 0"])
    assert "nothing was measured" in text and "outage     none was told" in text


class Page(html.parser.HTMLParser):
    """Checks that tags match, and collects what a reader or a browser would take from elsewhere."""

    VOID = {"meta", "br", "link"}

    def __init__(self):
        super().__init__()
        self.open, self.links, self.text, self.data = [], [], "", ""

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href") and not value.startswith("data:")]
        if tag not in self.VOID:
            self.open.append(tag)
            self.is_data = dict(attrs).get("type") == "application/json"

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.data += data if self.is_data else ""
        else:
            self.text += data


def read_page(path):
    page = Page()
    page.feed(path.read_text())
    page.close()
    assert page.open == []
    assert page.links == []
    return page


def test_the_report_is_well_formed_self_contained_and_escaped(tmp_path):
    path = tmp_path / "report.html"
    assert drive(["bin 600", "event 11"], "--report", path, "--sensor", "<script>alert(1)</script>")[0] == 0
    page = read_page(path)
    assert path.read_text().count("<script") == 2 and "alert(1)</script>" not in path.read_text()
    assert "The whole watch list was dark from 2025-06-06 12:10:00 to 12:46:38 UTC (36 min 39 s)." in page.text
    assert "drive_publish <&>" in page.text
    assert "ongoing" in page.text
    for row in ("the outside keeps knocking: 102 % of the usual flow starts towards it", "clearly for internal"):
        assert row in page.text


def series(text):
    """A series of the picture's data, as page.js reads it."""
    values, last = [], None
    for part in text.split(","):
        last = last if part == "" else None if part == "-" else float(part)
        values.append(last)
    return values


def test_the_picture_in_the_report_is_what_was_counted(tmp_path):
    path = tmp_path / "report.html"
    assert drive(["bin 50", "event 3"], "--report", path)[0] == 0
    picture = json.loads(read_page(path).data)
    assert (picture["bin"], picture["live"], picture["measure"]) == (60, False, "answered flows")
    assert picture["from"] == 1749211200 and picture["to"] == picture["from"] + 10 * 60
    assert series(picture["all"]["o"]) == [20 + 5 * i % 7 for i in range(10)]
    assert series(picture["all"]["e"]) == [7.12] * 10 and series(picture["all"]["h"]) == [16] * 10
    assert picture["all"]["s"] == "u10"
    assert [row["name"] for row in picture["rows"]] == ["prefix:175.45.176.0/24", "path:china-unicom", "service:kcna.kp"]
    assert [(one["scope"], one["sensor"]) for one in picture["episodes"]] == [("tap", True), ("all", False)]
    assert picture["episodes"][1]["on"] == [1749211799, 1749211800, 1749211817] and "off" not in picture["episodes"][1]


def test_a_long_report_is_thinned_and_keeps_its_sum(tmp_path):
    path = tmp_path / "report.html"
    assert drive(["bin 500000"], "--report", path)[0] == 0
    picture = json.loads(read_page(path).data)
    assert picture["all"]["w"] == 120 and picture["rows"][0]["w"] == 60 * 64
    for row, width in ((picture["all"], 2), (picture["rows"][0], 64)):
        values = series(row["o"])
        assert 0 <= len(values) - 100000 // width <= 2
        assert 22.5 < sum(values) / len(values) < 23.5
    assert path.stat().st_size < 3e6


def test_a_reader_that_has_gone_is_a_fault_and_no_crash():
    with subprocess.Popen([DRIVE, "--events", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as running:
        running.stdout.close()
        running.stdin.write("event 100\n")
        running.stdin.close()
        said = running.stderr.read()
        assert running.wait(timeout=20) == 1
    assert "cannot write to standard output: Broken pipe; whoever read it has gone" in said
