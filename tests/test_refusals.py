# SPDX-License-Identifier: BSD-3-Clause
"""What bad input gets: one line that names the thing and the way out, the exit status of the contract, and nothing lost
of what was already read."""

import os
import signal
import struct
import subprocess
import time

import pytest
from conftest import LIGHTSOUT, SAMPLE, TOP, read_events


def pcap_header(link_type=1):
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)


def refused(done, *words):
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("lightsout: "), done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def test_a_missing_file(lightsout, tmp_path):
    refused(lightsout("-r", tmp_path / "nowhere.pcap", status=1), "nowhere.pcap", "No such file")


def test_a_missing_file_leaves_old_output_alone(lightsout, tmp_path):
    bins = tmp_path / "bins.csv"
    bins.write_text("precious\n")
    lightsout("-r", tmp_path / "nowhere.pcap", "--bins", bins, status=1)
    assert bins.read_text() == "precious\n"


def test_an_empty_capture_is_read_and_said_to_be_empty(lightsout, tmp_path):
    path = tmp_path / "empty.pcap"
    path.write_bytes(pcap_header())
    done = lightsout("-r", path)
    refused(done, "empty.pcap", "no packet")


def test_an_empty_file(lightsout, tmp_path):
    path = tmp_path / "zero.pcap"
    path.touch()
    refused(lightsout("-r", path, status=1), "zero.pcap", "empty")


def test_a_text_file(lightsout, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and no packets at all\n")
    refused(lightsout("-r", path, status=1), "notes.txt", "not a capture")


def test_a_capture_without_a_watched_packet(lightsout):
    done = lightsout("-r", SAMPLE, "-w", "192.0.2.255/32")
    refused(done, "of 352755 packets none", "--watch")
    assert "no packet of the watched space" in done.stdout.lower()


def test_a_capture_of_watched_traffic_only_is_said_to_lack_a_control(lightsout, sample_pcap, tmp_path):
    only = tmp_path / "only.pcap"
    subprocess.run(["tshark", "-r", sample_pcap, "-Y", "ip.addr == 175.45.176.0/22", "-F", "pcap", "-w", only], check=True,
                   capture_output=True)
    done = lightsout("-r", only, "--events", tmp_path / "events")
    refused(done, "blind sensor")
    events = read_events(tmp_path / "events")
    assert [event["event"]["action"] for event in events].count("outage-started") == 1
    assert {event["outage"]["control"] for event in events} == {"none"}
    assert {event["outage"]["cause"]["verdict"] for event in events} == {"unknown"}


def test_a_cut_off_capture_keeps_what_was_read(lightsout, sample_pcap, tmp_path):
    path = tmp_path / "cut.pcap"
    with sample_pcap.open("rb") as whole:
        path.write_bytes(whole.read(sample_pcap.stat().st_size - 7))
    events = tmp_path / "events"
    refused(lightsout("-r", path, "-q", "--events", events, status=1), "cut.pcap", "byte")
    assert [event["event"]["action"] for event in read_events(events)].count("outage-ended") == 1


def test_a_link_type_that_is_not_read(lightsout, tmp_path):
    path = tmp_path / "usb.pcap"
    path.write_bytes(pcap_header(189))
    refused(lightsout("-r", path, status=1), "usb.pcap", "USB_LINUX", "189")


def test_an_unknown_interface(lightsout):
    refused(lightsout("-i", "nosuch0", status=1), "nosuch0", "ip link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission_to_capture(tmp_path):
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
               "--bounding-set=-all", LIGHTSOUT, "-i", "lo"]
    probe = subprocess.run([*command[:-2], "--version"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("nobody may not run the program from where it lies")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    refused(done, "lo", "CAP_NET_RAW")


@pytest.mark.parametrize("cidr", ["300.1.2.3/8", "175.45.176.1/22", "175.45.176.0/33", "::/129", "kcna.kp", ""])
def test_a_bad_cidr(lightsout, cidr):
    refused(lightsout("-r", SAMPLE, "-w", cidr, status=2), "--watch")


@pytest.mark.parametrize("text, line, words", [
    ("[lightsout]\nbinn = 60\n", 2, ["binn"]),
    ("[lightsout]\nbin = sixty\n", 2, ["sixty", "number"]),
    ("[lightsout]\nbin = 7\n", 2, ["divides an hour"]),
    ("[lightsout]\nbin = 60\n\nbin = 60\n", 4, ["twice"]),
    ("[nosuch]\n", 1, ["nosuch"]),
    ("# fine\n[watch 1.2.3.4/8]\n", 2, ["1.0.0.0/8"]),
    ("[path a]\nvlan = 5000\n", 2, ["4095"]),
    ("[service a]\nport = http\n", 2, ["http"]),
    ("[lightsout]\nneither nor\n", 2, ["key"]),
    ("bin = 60\n", 1, ["section"]),
])
def test_a_bad_configuration_names_file_and_line(lightsout, tmp_path, text, line, words):
    path = tmp_path / "bad.conf"
    path.write_text(text)
    refused(lightsout("-c", path, "-T", status=2), f"bad.conf:{line}:", *words)


def test_a_directory_is_no_configuration_and_no_watch_list(lightsout, tmp_path):
    refused(lightsout("-T", "-c", tmp_path, status=2), f"configuration {tmp_path}: Is a directory")
    refused(lightsout("-T", "--watch-from", tmp_path, status=2), f"watch list {tmp_path}: Is a directory")


@pytest.mark.parametrize("arguments", [[], ["--nosuch"], ["capture.pcap"], ["-r"], ["-r", "a", "-i", "b"],
                                       ["-r", "a", "--speed", "0"], ["-r", "a", "--redis", "http://x"]])
def test_unusable_arguments(lightsout, arguments):
    refused(lightsout(*arguments, status=2))


def test_a_bad_filter_is_named(lightsout):
    refused(lightsout("-r", SAMPLE, "-f", "nothing like a filter", status=1), "nothing like a filter")


def test_a_redis_that_is_not_there_loses_nothing_else(lightsout, tmp_path):
    events = tmp_path / "events"
    config = tmp_path / "conf"
    config.write_text("[redis]\ndrain = 1\n")
    done = lightsout("-c", config, "-r", SAMPLE, "--redis", f"unix://{tmp_path}/nowhere.sock", "--events", events, status=1)
    assert "nowhere.sock" in done.stderr and "No such file" in done.stderr
    assert [event["event"]["action"] for event in read_events(events)].count("outage-ended") == 1
    assert "outage" in done.stdout


def test_output_that_cannot_be_written_is_said(lightsout, tmp_path):
    refused(lightsout("-r", SAMPLE, "--bins", tmp_path / "no" / "bins.csv", status=1), "bins.csv")
    done = lightsout("-r", SAMPLE, "-q", "--bins", "/dev/full", status=1)
    assert "/dev/full" in done.stderr and "No space" in done.stderr


def test_an_interrupted_replay_ends_with_everything_written(tmp_path):
    bins = tmp_path / "bins.csv"
    process = subprocess.Popen([LIGHTSOUT, "-r", SAMPLE, "--speed", "3600", "--bins", bins], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    rows = bins.read_text().splitlines()
    assert 60 * 20 < len(rows) and rows[-1].count(",") == rows[0].count(",")
    assert "packets" in out


def test_the_sample_configuration_is_the_default(lightsout):
    strip = lambda text: [line.split("  # ")[0] for line in text.splitlines() if line[:1] != "#"]
    default = lightsout("-T").stdout
    sample = lightsout("-T", "-c", "samples/lightsout.conf", cwd=TOP).stdout
    assert strip(default) == strip(sample)
    text = (TOP / "samples" / "lightsout.conf").read_text()
    for line in default.split("\n# default\n[watch", maxsplit=1)[0].splitlines():
        key = line.removeprefix("# ").split(" ")[0]
        assert f"\n{key} = " in text or f"\n#{key} = " in text or line.startswith("[") or not line, key


def test_check_says_where_each_value_comes_from(lightsout, tmp_path):
    config = tmp_path / "conf"
    config.write_text("[lightsout]\nsensor = ix-1\nstep = 10\n[redis]\nurl = redis://h\n[path north]\nprefix = 192.0.2.0/25\n"
                      "[watch 192.0.2.0/24]\nlabel = ours\n")
    environment = {**os.environ, "LIGHTSOUT_REDIS_PASSWORD": "secret"}
    said = lightsout("-c", config, "-T", "--bin", "120", env=environment).stdout
    for line in (f"sensor = ix-1  # {config}:2", "bin = 120  # command line", f"step = 10  # {config}:3",
                 "flow_timeout = 120  # default", f"url = redis://h  # {config}:5", f"# {config}:6\n[path north]",
                 f"# {config}:8\n[watch 192.0.2.0/24]", "password_file = (not shown)  # environment"):
        assert f"\n{line}\n" in said, line
    assert "secret" not in said
    assert "\n# command line\n[watch 198.51.100.0/24]\n" in lightsout("-T", "-w", "198.51.100.0/24").stdout
    assert "\n# default\n[watch 175.45.176.0/24]\n" in lightsout("-T").stdout
    assert "\n# default\n[service kcna.kp]\n" in lightsout("-T").stdout
    # It is a configuration itself.
    again = tmp_path / "again"
    again.write_text("".join(line for line in said.splitlines(True) if "(not shown)" not in line))
    strip = lambda text: [line.split("  # ")[0] for line in text.splitlines() if line[:1] != "#" and "(not shown)" not in line]
    assert [line for line in strip(lightsout("-c", again, "-T").stdout) if "password" not in line] == \
        [line for line in strip(said) if "password" not in line]


@pytest.mark.parametrize("text, words", [
    ("[lightsout]\nbins_file = x\n", "there is no key 'bins_file' in [lightsout]"),
    ("[lightsout]\nsensro = x\n", "is 'sensor' meant?"),
    ("[capture]\nflow_timeou = 9\n", "is 'flow_timeout' meant?"),
    ("[capture]\nhalf_life = 9d\n", "it is one of [detect]"),
    ("[detect]\nzzz = 9d\n", "samples/lightsout.conf shows them all"),
])
def test_an_unknown_key_is_answered_with_the_one_that_may_be_meant(lightsout, tmp_path, text, words):
    config = tmp_path / "conf"
    config.write_text(text)
    said = lightsout("-c", config, "-T", status=2).stderr
    assert words in said and f"{config}:2: " in said and said.count("\n") == 1


def test_verbose_tells_every_counter_that_is_not_zero(lightsout):
    said = lightsout("-r", SAMPLE, "-v").stderr.splitlines()
    assert "lightsout: 352755 packets delivered by the sources" in said
    assert "lightsout: 17424 frames without IP (ARP, LLDP, spanning tree …)" in said
    assert not [line for line in said if line.startswith("lightsout: 0 ")]
