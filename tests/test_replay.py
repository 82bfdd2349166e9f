# SPDX-License-Identifier: BSD-3-Clause
"""The analyst's replay: a part of a capture, many files as one, a capture that is still being written."""

import subprocess

import pytest
from conftest import SAMPLE, read_events

FROM, TO = "2025-06-06T12:00:00Z", "2025-06-06T20:00:00Z"


def outputs(lightsout, folder, name, *arguments):
    """Events, bins and flows of a replay, as bytes."""
    paths = [folder / f"{name}.{kind}" for kind in ("events", "bins", "flows")]
    lightsout(*arguments, "-q", "--sensor", "test", "--events", paths[0], "--bins", paths[1], "--flows", paths[2])
    return [path.read_bytes() for path in paths]


# ---- --from, --to ----


def test_a_part_of_a_capture_is_read_as_if_the_rest_were_not_there(lightsout, sample_pcap, tmp_path):
    part = tmp_path / "part.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-A", FROM, "-B", TO, sample_pcap, part], check=True)
    cut = outputs(lightsout, tmp_path, "cut", "-r", part)
    assert b"outage-started" in cut[0]
    assert cut == outputs(lightsout, tmp_path, "whole", "-r", SAMPLE, "--from", FROM, "--to", TO)
    assert cut == outputs(lightsout, tmp_path, "zone", "-r", SAMPLE, "--from", "2025-06-06 21:00+09:00", "--to",
                          "2025-06-07T05:00:00.0+0900")
    config = tmp_path / "workers.conf"
    config.write_text("[capture]\nworkers = 2\n")
    several = outputs(lightsout, tmp_path, "several", "-c", config, "-r", SAMPLE, "--from", FROM, "--to", TO)
    assert cut[:2] == several[:2]


def test_a_date_alone_is_its_midnight(lightsout, tmp_path):
    lightsout("-r", SAMPLE, "-q", "--bins", tmp_path / "bins", "--from", "2025-06-06", "--to", "2025-06-07")
    times = [line.split(",")[0] for line in (tmp_path / "bins").read_text().splitlines()[1:]]
    assert times[0] == "2025-06-06T00:00:00Z" and times[-1] == "2025-06-06T23:59:00Z"


def test_a_part_of_a_table_of_bins_is_judged(lightsout, tmp_path):
    lightsout("-r", SAMPLE, "-q", "--bins", tmp_path / "all.csv")
    lightsout("-b", tmp_path / "all.csv", "-q", "--bins", tmp_path / "part.csv", "--from", FROM, "--to", TO)
    inside = lambda text: sorted(row.split(",")[:14] for row in text.splitlines() if FROM[:16] <= row[:16] < TO[:16])
    part = (tmp_path / "part.csv").read_text()
    assert inside(part) == inside((tmp_path / "all.csv").read_text())
    assert len(inside(part)) == len(part.splitlines()) - 1


@pytest.mark.parametrize("arguments, words", [
    (("--from", "yesterday"), "--from yesterday: a time is wanted"),
    (("--to", "2025-02-30"), "--to 2025-02-30: a time is wanted"),
    (("--from", TO, "--to", FROM), "nothing lies between"),
    (("--from", TO, "--to", TO), "nothing lies between"),
])
def test_a_time_that_cannot_be_is_refused_in_one_line(lightsout, arguments, words):
    said = lightsout("-r", SAMPLE, *arguments, status=2).stderr
    assert words in said and said.count("\n") == 1


def test_an_interface_has_no_from_and_to(lightsout):
    assert "of a replay" in lightsout("-i", "lo", "--from", FROM, status=2).stderr


def test_where_nothing_lies_between_it_is_said(lightsout):
    done = lightsout("-r", SAMPLE, "--from", "2031-01-01")
    assert "there is no packet between --from and --to" in done.stderr
    assert "nothing was measured" in done.stdout
