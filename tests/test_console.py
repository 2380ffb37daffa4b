from io import StringIO

import pytest
from cases import attention_record
from rich.console import Console

from halobench.console import result, watched

CASE = "haloed_blocked/forward/2x4x16x16d16/b8h3/mask/none/float32/cpu2"
RECORDS = [
    attention_record(samples=(2e-3,) * 7),
    attention_record("sdpa_blocked", status="oom", samples=(), reason="can't allocate [/2 GiB]"),
]


def shown(terminal):
    file = StringIO()
    console = Console(file=file, width=80, force_terminal=terminal, color_system=None)
    assert list(watched(RECORDS, 5, console)) == RECORDS
    return file.getvalue()


def test_a_result_is_the_case_and_its_median():
    assert result(RECORDS[0]) == f"{CASE}: 2 ms (7 samples)"


def test_a_result_without_samples_is_the_case_the_status_and_the_reason():
    assert result(RECORDS[1]).endswith("/cpu2: oom (can't allocate [/2 GiB])")


def test_where_there_is_no_terminal_every_record_is_a_plain_line():
    first, second = shown(terminal=False).splitlines()
    assert first.startswith("[1/5, ")
    assert first.endswith(f" s left] {CASE}: 2 ms (7 samples)")
    assert second.endswith(": oom (can't allocate [/2 GiB])")
    assert "\x1b" not in first + second


def test_on_a_terminal_what_did_not_work_stays_in_sight():
    assert "oom (can't allocate [/2 GiB])" in shown(terminal=True).replace("\n", "")


def test_on_a_terminal_a_long_result_does_not_hide_how_many_are_done():
    assert "2/5" in shown(terminal=True).splitlines()[-2]


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "none"])
def test_a_record_is_passed_on_before_the_next_is_measured(terminal):
    measured = []

    def source():
        for record in RECORDS:
            measured.append(record)
            yield record

    console = Console(file=StringIO(), force_terminal=terminal)
    for count, _ in enumerate(watched(source(), 2, console), start=1):
        assert len(measured) == count
