"""Looks are told apart, and are the same everywhere."""

import subprocess
import sys

from halobench.report.style import COLOURS, colour, marker


def test_no_two_names_share_colour_and_marker():
    names = [*COLOURS, *(f"kernel_{number}" for number in range(100))]
    assert len({(colour(name), marker(name)) for name in names}) == len(names)


def test_a_name_decides_its_look():
    code = "from halobench.report.style import colour, marker; print(colour('mine'), marker('mine'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [colour("mine"), marker("mine")]
