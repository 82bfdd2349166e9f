# SPDX-License-Identifier: BSD-3-Clause
"""--filter: of tagged packets it says what it says of the others, in a replay and in the kernel, and what it takes away
is told."""

import subprocess
import sys
import time

import pytest
from conftest import LIGHTSOUT
from namespace import Namespace
from test_contract import CLIENT, KCNA, OTHER, pcap, udp

NET = "net 175.45.176.0/22"
BLINDS = "a blind sensor cannot be told from an outage"

# Sends the frames given in hexadecimal, a tenth of a second apart: send.py IFACE FRAME ...
SEND = """
import socket, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
for frame in sys.argv[2:]:
    out.send(bytes.fromhex(frame))
    time.sleep(0.1)
"""


def frames():
    """To a watched address and to others, behind no tag, one, two and three."""
    return [udp(CLIENT, 4000, to, 123, vlans=range(100, 100 + tags)) for tags in range(4) for to in (KCNA, OTHER)]


def counted(text):
    return {line.split(": ", 1)[1].split(" ", 1)[1]: int(line.split()[1]) for line in text.splitlines()
            if line.startswith("lightsout: ") and line.split()[1].isdigit()}


def test_a_replay_loses_no_tagged_packets(lightsout, tmp_path):
    capture = pcap(tmp_path / "tagged.pcap", list(enumerate(frames())))
    for expression, read, watched in ((NET, 4, 4), ("not " + NET, 4, 0), ("udp port 123", 8, 4), ("tcp", 0, 0), ("vlan 100", 6, 3)):
        said = lightsout("-r", capture, "-v", "-f", expression, "--events", tmp_path / "events").stderr
        assert counted(said).get("packets delivered by the sources", 0) == read, expression
        assert counted(said).get("packets with a watched address", 0) == watched, expression
        assert (BLINDS in said) == (expression == NET)


@pytest.mark.parametrize("expression, read, watched", [(NET, 4, 4), ("udp port 123", 8, 4)])
def test_the_kernel_loses_none_either(tmp_path, expression, read, watched):
    space = Namespace("a")
    try:
        bins = tmp_path / "bins"
        process = subprocess.Popen(space.command(LIGHTSOUT, "-i", "a0", "-v", "-f", expression, "--bins", bins), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not bins.exists() and process.poll() is None:
            time.sleep(0.02)
        subprocess.run(space.command(sys.executable, "-c", SEND, "a1", *(bytes(frame).hex() for frame in frames())), check=True)
        process.terminate()
        said = process.communicate(timeout=30)[1]
    finally:
        space.close()
    assert process.returncode == 0, said
    assert counted(said).get("packets delivered by the sources", 0) == read, said
    assert counted(said).get("packets with a watched address", 0) == watched
    assert (BLINDS in said) == (expression == NET)
