# SPDX-License-Identifier: BSD-3-Clause
"""The whole program under memcheck, by `make valgrind`: a day of the sample with an outage in it by each way in and out."""

import subprocess
import sys

import pytest
from conftest import TOP, read_events

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import Server, needs_redis  # noqa: E402

FROM, TO = "2025-06-06T12:00:00Z", "2025-06-07T06:00:00Z"


@pytest.fixture(scope="module")
def part(sample_pcap, tmp_path_factory):
    path = tmp_path_factory.mktemp("part") / "part.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-A", FROM, "-B", TO, sample_pcap, path], check=True)
    return path


def actions(path):
    return [event["event"]["action"] for event in read_events(path)]


def test_a_replay_with_every_output_and_again_from_where_it_stopped(lightsout, part, tmp_path):
    outputs = ("--events", tmp_path / "events", "--bins", tmp_path / "bins", "--flows", tmp_path / "flows", "--report",
               tmp_path / "report", "--state", tmp_path / "state", "--http", "127.0.0.1:0")
    assert "has been dark" in lightsout("-r", part, *outputs, "-v", "--to", "2025-06-06T20:00:00Z").stdout
    lightsout("-r", part, *outputs)
    assert actions(tmp_path / "events")[0] == "outage-started"
    read_back = lightsout("-b", tmp_path / "bins", "--events", tmp_path / "again").stdout
    assert "outage" in read_back and "outage-started" in actions(tmp_path / "again")


def test_a_replay_by_several_workers_of_a_packed_capture_through_a_pipe(lightsout, part, tmp_path):
    packed = tmp_path / "part.pcap.zst"
    subprocess.run(["zstd", "-q", part, "-o", packed], check=True)
    (tmp_path / "conf").write_text("[capture]\nworkers = 2\ndeduplicate = yes\n")
    with packed.open("rb") as pipe:
        lightsout("-r", "-", "-c", tmp_path / "conf", "--filter", "ip", "--events", tmp_path / "events", stdin=pipe)
    assert actions(tmp_path / "events")[0] == "outage-started"


def test_the_settings_are_checked_and_refused(lightsout, tmp_path):
    lightsout("--check", "-c", TOP / "samples/lightsout.conf")
    (tmp_path / "conf").write_text("[watch 192.0.2.0/24]\nlabel = ours\n[path north]\nprefix = 192.0.2.0/33\n")
    lightsout("--check", "-c", tmp_path / "conf", status=2)


@needs_redis
def test_redis_is_told_and_lost_and_told_again(lightsout, part, tmp_path):
    server = Server(tmp_path).start()
    try:
        command = "-r", part, "--sensor", "ix-1", "--redis", server.url, "--state", tmp_path / "state"
        lightsout(*command, "--to", "2025-06-06T20:00:00Z")
        server.kill()
        lightsout(*command, status=1)
        server.start()
        lightsout(*command)
        entries = server.entries("lightsout-replay:{ix-1}:events")
        assert (entries[0]["action"], entries[-1]["action"]) == ("outage-started", "outage-ended")
    finally:
        server.stop()
