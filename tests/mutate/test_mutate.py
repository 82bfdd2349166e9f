# SPDX-License-Identifier: BSD-3-Clause
"""A few hundred of the mutants (`make mutate` plays 100,000), and the captures that once broke something."""

import os
from pathlib import Path

import mutants
import mutate
import pytest

BUILD = Path(os.environ.get("BUILD", "build"))
FOUND = Path(__file__).resolve().parent / "found"
PATIENCE_S = 300  # whether it ends, not how soon


@pytest.fixture
def player():
    one = mutate.Player(BUILD, PATIENCE_S)
    yield one
    one.close()


@pytest.mark.parametrize("part", range(4))
def test_mutants_are_borne(player, part):
    count = 0
    for first in range(part * 200, part * 200 + 200, mutate.GROUP):
        count += sum(played for played, _ in mutate.play_group(player, first))
    assert count == 200


@pytest.mark.parametrize("name", sorted(path.name for path in FOUND.iterdir()))
@pytest.mark.parametrize("layout", mutate.LAYOUTS)
def test_what_once_broke_something_is_borne(player, name, layout):
    """Alone or, where it is a folder, all of it as one capture."""
    found = FOUND / name
    inputs = [player.put(path.name, path.read_bytes()) for path in (sorted(found.iterdir()) if found.is_dir() else [found])]
    run = player.play(inputs, layout, leaks=True)
    run.look()
    if layout == "one" and inputs[0].suffix != ".csv":
        said = run.written_in_any_order()
        again = player.play(inputs, "two", leaks=True)
        again.look()
        assert again.written_in_any_order() == said


def test_a_file_of_which_the_first_packet_that_passes_has_no_time(player):
    """Where the file before it has ended: no pause can be told."""
    arp, packet = bytes(12) + b"\x08\x06" + bytes(28), mutants.outage()[0]
    later = packet.time_ns + 3600 * mutants.NS
    files = [[packet], [mutants.Packet(1, later, arp), mutants.Packet(1, 0, packet.data)]]
    inputs = [player.put(f"{i}.pcap", mutants.write_pcap(packets, "<", 0xa1b2c3d4).data) for i, packets in enumerate(files)]
    for layout in mutate.LAYOUTS:
        run = player.play(inputs, layout, ["-f", "udp"])
        run.look()
        assert (run.status, run.packets()) == (0, 2)
