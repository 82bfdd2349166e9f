# SPDX-License-Identifier: BSD-3-Clause
"""Forged SYNs into the watched space, in their short form: `make bench-flood` sends five million."""

import subprocess
import sys

import pytest
from conftest import LIGHTSOUT, SAMPLE, SYNTH, TOP

sys.path.insert(0, str(TOP / "tests" / "bench"))
import flood  # noqa: E402

SYNS = 150_000
SMALL = "[capture]\nflows_max = 5000\nclassify_max = 200\naddresses_max = 1000\n"  # so that every table overflows


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Replays the sample with a flood, or None, and returns the episodes and what was counted."""
    def play(name):
        folder = tmp_path_factory.mktemp("flood")
        (folder / "conf").write_text(SMALL)
        captures = ["-r", SAMPLE] + (["-r", flood.write_flood(SYNTH, flood.FLOODS[name], SYNS, folder)] if name else [])
        done = subprocess.run([LIGHTSOUT, "-v", "-c", folder / "conf", *captures, "--events", folder / "events"],
                              capture_output=True, text=True, check=True)
        return flood.read_episodes(folder / "events"), done.stderr

    return play


@pytest.fixture(scope="module")
def usual(told):
    episodes, _ = told(None)
    assert [episode["scope"] for episode in episodes] == ["all"]
    return episodes


@pytest.mark.parametrize("name", ["normal hours", "the first hours", "into the onset", "in the dark", "into the return"])
def test_under_a_flood_the_same_episodes_are_told(told, usual, name):
    episodes, said = told(name)
    assert flood.differences(usual, episodes, flood.FLOODS[name]) == []
    assert "pushed out of a full table" in said
    assert "beyond the cap on exact counting" in said


def test_a_flood_that_nobody_answers_is_no_surge_of_answered_flows(told, usual):
    episodes, _ = told("normal hours, unanswered")
    assert flood.differences(usual, episodes, flood.FLOODS["normal hours, unanswered"]) == []
    assert abs(flood.seconds(episodes[0]["onset"]) - flood.seconds(usual[0]["onset"])) < 1
