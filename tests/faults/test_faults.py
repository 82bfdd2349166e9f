# SPDX-License-Identifier: BSD-3-Clause
"""Every fault of this folder in its short form; `make bench-faults` runs them whole."""

import importlib
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
for path in sorted(HERE.glob("faults_*.py")):
    importlib.import_module(path.stem)

from server import FAULTS, compare, needs_redis  # noqa: E402


@needs_redis
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.run.__name__)
def test_each_event_is_delivered_once_and_in_order_whatever_fails(fault, tmp_path):
    figure = fault.run(tmp_path, fault.short)
    assert figure.sound if figure.sound is not None else figure.reached, figure.measured


def test_the_comparison_finds_what_is_lost_repeated_or_out_of_order():
    assert compare("abcd", "abcd").whole()
    assert compare("abcd", "abd")[1:] == (1, 0, 0)
    assert compare("abcd", "abbcd")[1:] == (0, 1, 0)
    assert compare("abcd", "acbd")[1:] == (0, 0, 1)
    assert not compare("", "").whole()
