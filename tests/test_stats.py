import math
import random

import pytest

from halobench.stats import Stop, summary


def test_the_interval_of_six_samples_is_all_of_them():
    found = summary([3.0, 1, 2, 6, 5, 4])
    assert (found.median, found.low, found.high) == (3.5, 1, 6)


def test_of_twenty_samples_five_are_left_out_on_each_side():
    found = summary(list(range(20)))  # binomial(20, 1/2): P(at most 5) = 2.1 %
    assert (found.low, found.high) == (5, 14)


@pytest.mark.parametrize("count", range(6))
def test_fewer_than_six_samples_have_no_interval(count):
    found = summary([1.0] * count)
    assert math.isnan(found.low)
    assert math.isnan(found.median) == (count == 0)


def test_the_interval_holds_the_true_median_as_often_as_it_says():
    chance = random.Random(0)
    series = [summary([chance.expovariate(1.0) for _ in range(25)]) for _ in range(400)]
    held = sum(found.low <= math.log(2) <= found.high for found in series)
    assert held / 400 == pytest.approx(0.96, abs=0.03)


@pytest.mark.parametrize(
    ("samples", "reached"),
    [
        pytest.param([1.0] * 5, False, id="too few"),
        pytest.param([1.0] * 6, True, id="precise"),
        pytest.param([1.0, 2, 3, 4, 5, 6], False, id="not precise, budget left"),
        pytest.param([10.0, 20, 30, 40, 50, 60], True, id="budget spent"),
        pytest.param([600.0, 500.0], True, id="out of patience before the least"),
    ],
)
def test_when_samples_are_enough(samples, reached):
    assert Stop(seconds=100, min_samples=6).reached(samples) == reached


def test_never_more_than_the_most():
    assert Stop(seconds=1e9, max_samples=7).reached([1.0, 2, 3, 4, 5, 6, 7])
