# SPDX-License-Identifier: BSD-3-Clause
"""The samples are what their scripts make, and tell what samples/README.md says that they tell."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from conftest import LIGHTSOUT, SYNTH, TOP, read_events

SAMPLES = TOP / "samples"
README = (SAMPLES / "README.md").read_text()
SMALL = ["look-alike", "blind-tap", "attack", "one-upstream"]
CONSOLE = re.findall(r"```console\n\$ (.*?)\n(.*?)```", README, re.DOTALL)


def test_every_capture_is_told_of():
    told = {command.split("/")[-1] for command, _ in CONSOLE}
    assert told == {path.name for path in SAMPLES.glob("*.pcap.zst")} and len(told) == 5


@pytest.mark.parametrize("command, wanted", CONSOLE, ids=[command.split("/")[-1] for command, _ in CONSOLE])
def test_what_the_readme_shows_is_what_is_printed(command, wanted):
    program, *arguments = shlex.split(command)
    assert program == "build/lightsout"
    printed = subprocess.run([LIGHTSOUT, *arguments], cwd=TOP, capture_output=True, text=True, check=True).stdout
    at = 0
    for part in wanted.split("…\n"):  # with something left out between them
        found = ("\n" + printed).find("\n" + part, at)
        assert found >= at, f"{part}\nis not in\n{printed}"
        at = found + len(part)
    assert printed.startswith(wanted.split("…\n")[0])


@pytest.mark.parametrize("name", SMALL)
def test_a_small_sample_is_what_its_script_makes(name, tmp_path):
    script = TOP / "tests" / "synth" / "samples" / f"{name}.ini"
    subprocess.run([SYNTH, script, "--pcap", tmp_path / "pcap", "--truth", tmp_path / "truth"], check=True)
    unpacked = subprocess.run(["zstd", "-dc", SAMPLES / f"{name}.pcap.zst"], capture_output=True, check=True).stdout
    assert unpacked == (tmp_path / "pcap").read_bytes()
    assert json.loads((SAMPLES / f"{name}.json").read_text()) == json.loads((tmp_path / "truth").read_text())
    assert (SAMPLES / f"{name}.pcap.zst").stat().st_size < 300_000


@pytest.mark.parametrize("name", [*SMALL, "blackout-2025-06"])
def test_a_picture_is_drawn_from_its_capture(lightsout, name, tmp_path):
    wanted = (SAMPLES / f"{name}.svg").read_text()
    lightsout("-r", SAMPLES / f"{name}.pcap.zst", "-q", "--bins", tmp_path / "bins")
    line = re.search(rf"^picture {name} (.*?[^\\])$", (TOP / "tests" / "make_samples.sh").read_text(), re.DOTALL | re.MULTILINE)
    strips = shlex.split(line[1].replace("\\\n", " ").replace("$answered", "answered flows a minute"))
    drawn = subprocess.run([sys.executable, TOP / "tests" / "picture.py", tmp_path / "bins", *strips], capture_output=True,
                           text=True, check=True).stdout
    assert drawn == wanted
    assert f"]({name}.svg)" in README


def test_the_samples_tell_their_truth(lightsout, tmp_path):
    told = {}
    for name in SMALL:
        lightsout("-r", SAMPLES / f"{name}.pcap.zst", "-q", "--events", tmp_path / name)
        told[name] = read_events(tmp_path / name)
    assert told["look-alike"] == []
    assert {event["event"]["action"] for event in told["blind-tap"]} == {"sensor-impaired", "sensor-restored"}
    for name, scope in (("attack", "all"), ("one-upstream", "path:china-unicom")):
        truth = json.loads((SAMPLES / f"{name}.json").read_text())["outages"][0]
        last = told[name][-1]["outage"]
        assert {event["outage"]["scope"] for event in told[name]} == {scope}
        assert last["cause"]["verdict"] == truth["verdict"]
        assert last["end_earliest"] < truth["end"] < last["end_latest"]
    last = told["one-upstream"][-1]["outage"]
    assert last["onset_earliest"] < "2025-09-02T11:07:33.4" < last["onset_latest"]
    kinds = {piece["kind"] for piece in told["attack"][0]["outage"]["cause"]["evidence"]}
    assert {"inbound-surge", "delay-rising"} <= kinds
