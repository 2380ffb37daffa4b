from io import StringIO

from cases import attention_record, frame_of
from rich.console import Console

from halobench.report.terminal import tables

NAMES = ["naive_global", "haloed_blocked", "sdpa_blocked"]


def shown(width, *records):
    screen = Console(width=width, record=True, file=StringIO())
    for table in tables("attention", frame_of(*records), width):
        screen.print(table)
    return screen.export_text()


def test_what_fits_is_one_table():
    told = shown(120, *(attention_record(name) for name in NAMES))
    assert told.count("problem") == 1
    assert told.count("1 ms") == 3


def test_what_does_not_fit_comes_below_with_the_problems_it_was_measured_on():
    wide = [attention_record(name, height=side) for name in NAMES for side in (16, 32)]
    told = shown(54, *wide, attention_record("flex_blocks", samples=(7e-3,)))
    first, *_, last = told.split("problem")
    assert "flex_" not in first
    assert "7 ms" in last
    assert "32x16" not in last


def test_a_screen_of_any_width_has_room_for_one():
    assert shown(10, *(attention_record(name) for name in NAMES))
