import math

import pytest

from halobench import units


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.5, "2.5 s"),
        (90.0, "90 s"),
        (1234.0, "1234 s"),
        (1e-3, "1 ms"),
        (0.9999, "1 s"),
        (1.234e-5, "12.3 µs"),
        (4e-8, "40 ns"),
        (0.0, "0 ns"),
    ],
)
def test_seconds_have_three_digits_and_the_largest_prefix_that_fits(value, expected):
    assert units.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**20, "1 MiB"), (3 * 2**30, "3 GiB")],
)
def test_bytes_have_binary_prefixes(value, expected):
    assert units.bytes_(value) == expected


def test_operations_and_counts_have_decimal_prefixes():
    assert [units.flop(2.5e9), units.flop(999.6), units.flop(3e12)] == ["2.5 GFLOP", "1 kFLOP", "3 TFLOP"]
    assert [units.count(5_488_000), units.count(12), units.count(1500)] == ["5.49 M", "12", "1.5 k"]


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, "1x"), (12.345, "12.3x"), (1234.5, "1234x"), (0.00001234, "0.0000123x")]
)
def test_a_ratio_never_has_an_exponent(value, expected):
    assert units.ratio(value) == expected


def test_a_spread_is_half_the_interval_over_the_middle():
    assert units.spread(0.9, 1.1, 1.0) == "±10.0%"
    assert units.time(1e-3, 0.9e-3, 1.1e-3) == "1 ms ±10.0%"


def test_a_time_of_few_samples_has_no_spread():
    assert units.time(1e-3, math.nan, math.nan) == "1 ms"


@pytest.mark.parametrize(
    "show", [units.seconds, units.bytes_, units.flop, units.count, units.number, units.ratio, units.percent]
)
@pytest.mark.parametrize("value", [None, math.nan])
def test_what_was_not_measured_is_a_dash(show, value):
    assert show(value) == "-"


def test_a_spread_of_nothing_is_a_dash():
    assert (
        units.spread(None, 1.0, 1.0)
        == units.spread(1.0, 1.0, math.nan)
        == units.time(None, None, None)
        == "-"
    )
