# SPDX-License-Identifier: BSD-3-Clause
"""Several sensors, one verdict: what a fuser reads, and what it puts into Redis and beside it."""

import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from faults_fuse import BLIND, MINUTES, PREFIX, RATES, World, finish, impaired, is_right, started  # noqa: E402
from server import TOP, needs_redis, until  # noqa: E402

pytestmark = needs_redis


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("fuse"))
    yield one
    one.server.stop()


@pytest.fixture
def loaded(world):
    world.server.ask("FLUSHALL")
    (world.folder / "log").write_text("")
    world.load()
    return world


def run(world, *options):
    fuser = world.fuser(*options)
    assert until(world.is_done)
    finish([fuser])
    assert fuser.returncode == 0
    return world.events()


def test_the_verdict_is_told_as_that_of_a_sensor(loaded):
    events = run(loaded)
    assert is_right(events)
    validator = jsonschema.Draft202012Validator(json.loads((TOP / "samples/events.schema.json").read_text()))
    for event in events:
        validator.validate(event)
        assert event["observer"]["name"] == "fused"
    blind = next(event for event in events if event["event"]["action"] == "sensor-impaired")
    assert blind["sensor"]["reason"] == "sensor-blind" and blind["sensor"]["leg"] == BLIND[0]
    dark = next(event["outage"] for event in events if event["event"]["action"] == "outage-started")
    assert {path["name"]: path["state"] for path in dark["paths"]}.keys() == RATES.keys()
    state = loaded.server.ask("HGETALL", f"{PREFIX}{{fused}}:state")
    assert sorted(state[::2]) == sorted(["all", "prefix:192.0.2.0/24", "tap", *(f"path:{name}" for name in RATES)])
    assert sorted(loaded.server.ask("SMEMBERS", f"{PREFIX}sensors")) == ["fused", *RATES]
    bins = loaded.server.entries(f"{PREFIX}{{fused}}:bins")
    assert len([entry for entry in bins if entry["scope"] == "all"]) == MINUTES + 1  # the last: nobody is heard
    assert (loaded.folder / "log").read_text() == ""


def test_the_least_rights_are_enough(loaded):
    readme = (TOP / "README.md").read_text().replace("\\\n", " ")
    rule = re.search(r"ACL SETUSER fuser (.*)", readme).group(1).replace("lightsout:", PREFIX).split()
    loaded.server.ask("ACL", "SETUSER", "fuser", *rule)
    (loaded.folder / "password").write_text("secret\n")
    conf = loaded.conf.read_text()
    loaded.conf.write_text(conf + f"user = fuser\npassword_file = {loaded.folder / 'password'}\n")
    try:
        assert is_right(run(loaded))
    finally:
        loaded.conf.write_text(conf)
    assert (loaded.folder / "log").read_text() == ""


def test_the_other_sinks_tell_the_same(loaded, tmp_path):
    events = run(loaded, "--events", tmp_path / "events.ndjson", "--bins", tmp_path / "bins.csv")
    assert [json.loads(line) for line in (tmp_path / "events.ndjson").read_text().splitlines()] == events
    rows = (tmp_path / "bins.csv").read_text().splitlines()
    assert len([row for row in rows if ",all," in row]) == MINUTES + 1


def test_the_same_streams_again_add_nothing(loaded):
    events = run(loaded)
    for key in loaded.server.ask("KEYS", f"{PREFIX}*:bins"):
        loaded.server.ask("DEL", key)
    loaded.server.ask("DEL", f"{PREFIX}{{fused}}:fuse")
    loaded.load()
    assert run(loaded) == events


def test_two_views_do_not_meet_nor_read_each_other(loaded):
    other = loaded.fuser("--sensor", "other")
    events = run(loaded)
    assert until(lambda: len(loaded.server.entries(f"{PREFIX}{{other}}:events")) == len(events))
    finish([other])
    twin = [json.loads(entry["event"]) for entry in loaded.server.entries(f"{PREFIX}{{other}}:events")]
    assert started(twin) == started(events) and impaired(twin) == impaired(events)
    assert not {event["event"]["id"] for event in twin} & {event["event"]["id"] for event in events}
    for view in ("fused", "other"):
        scopes = loaded.server.ask("HKEYS", f"{PREFIX}{{{view}}}:state")
        assert "path:other" not in scopes and "path:fused" not in scopes


def test_sensors_that_cannot_be_fused_are_named(loaded):
    name = "n" * 60
    odd = json.dumps({"time": "2025-06-05T00:00:30Z", "scope": "all", "start": "2025-06-05T00:00:30.000000Z",
                      "end": "2025-06-05T00:01:00.000000Z", "state": "up"})
    loaded.server.ask("SADD", f"{PREFIX}sensors", name, "ix-half")
    for sensor in (name, "ix-half"):
        loaded.server.ask("XADD", f"{PREFIX}{{{sensor}}}:bins", "1749081700000-0", "time", "", "scope", "all", "bin", odd)
    loaded.server.ask("XADD", f"{PREFIX}{{ix-half}}:bins", "1749081700000-1", "bin", "no bin at all")
    loaded.server.ask("SADD", f"{PREFIX}sensors", "ix-none")
    loaded.server.ask("SET", f"{PREFIX}{{ix-none}}:bins", "no stream")
    assert is_right(run(loaded))
    said = (loaded.folder / "log").read_text()
    assert said.count("ix-none") == 1 and "WRONGTYPE" in said and "well again" not in said
    assert said.count("sensor ix-half is left out: its bins are not as long") == 1
    assert said.count("its name is too long") == 1


def test_a_view_of_another_version_is_not_guessed_at(loaded):
    key = f"{PREFIX}{{fused}}:fuse"
    loaded.server.ask("HSET", key, "turn", "3", "view", "something else")
    fuser = loaded.fuser()
    assert until(lambda: f"{key} cannot be used" in (loaded.folder / "log").read_text())
    assert not loaded.events()
    loaded.server.ask("DEL", key)
    assert until(loaded.is_done)
    finish([fuser])
    assert is_right(loaded.events())


def test_a_server_that_comes_later_is_waited_for(loaded):
    loaded.server.stop()
    fuser = loaded.fuser()
    assert until(lambda: "cannot reach" in (loaded.folder / "log").read_text())
    loaded.server.start()
    assert until(loaded.is_done)
    finish([fuser])
    assert is_right(loaded.events())
