import math
import random

import numpy as np
import pytest
from scipy.stats import ttest_ind

from halobench.measure.stopping import StoppingCriterion
from halobench.stats.interval import summary
from halobench.stats.ratios import Noise, holm, paired, parts, ratio, scatter


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
    assert StoppingCriterion(seconds=100, min_samples=6).reached(samples) == reached


def test_never_more_than_the_most():
    assert StoppingCriterion(seconds=1e9, max_samples=7).reached([1.0, 2, 3, 4, 5, 6, 7])


def test_a_ratio_is_of_geometric_means():
    found = ratio([1.0, 4.0], [4.0, 16.0])
    assert (found.value, found.low * found.high) == pytest.approx((4, 4**2))


def test_without_a_band_a_ratio_is_welchs_test_of_logarithms():
    before, after = [1.0, 1.1, 1.3, 0.9], [1.2, 1.5, 1.4]
    known = ttest_ind(np.log(after), np.log(before), equal_var=False)
    found = ratio(before, after)
    assert found.p == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx(np.exp(known.confidence_interval(0.95)))


def test_a_band_asks_whether_the_ratio_is_beyond_it():
    before, after = [1.0, 1.1, 1.3, 0.9], [2.2, 2.5, 2.4]
    beyond = ttest_ind(np.log(after), np.log(before) + np.log(1.5), equal_var=False, alternative="greater")
    assert ratio(before, after, band=0.5).p == pytest.approx(2 * beyond.pvalue)
    assert ratio(before, after, band=2.0).p == 1


def test_equal_values_are_known_to_rounding_only():
    found = ratio([1.0] * 5, [2.0] * 5)
    assert found.low < 2 < found.high == pytest.approx(2)
    assert found.p < 1e-5


def test_noise_that_values_can_not_show_widens_the_interval():
    before, after = [1.0, 1.01, 0.99], [1.2, 1.21, 1.19]
    assert ratio(before, after).low > 1.1 > ratio(before, after, unseen=Noise(0.1, 20)).low
    assert ratio([1.0] * 3, [1.0] * 3, unseen=Noise(0.1, 10**6)).high == pytest.approx(
        math.exp(0.196), rel=1e-3
    )


def test_parts_are_medians_of_neighbours_and_leave_nothing_out():
    assert parts([1, 2, 30, 4, 5, 60], 2) == [2, 5]
    assert parts([3, 1, 2], 10) == [3, 1, 2]
    assert parts(range(25), 10) == [0.5, 3, 5.5, 8, 10.5, 13, 15.5, 18, 20.5, 23]


def test_holm_corrects_as_its_paper_does():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_scatter_is_the_standard_deviation_of_a_normal_distribution():
    chance = random.Random(0)
    found = scatter([chance.gauss(7, 0.1) for _ in range(1000)])
    assert found.sd == pytest.approx(0.1, rel=0.05)
    assert found.freedom == 999


def test_scatter_does_not_see_that_two_fifths_moved():
    chance = random.Random(0)
    values = [chance.gauss(0, 0.1) + (5 if place < 80 else 0) for place in range(200)]
    assert np.std(values) > 2 > 0.3 > scatter(values).sd


def test_pairs_say_how_many_times_the_first_the_second_is_whatever_moves_both():
    found = paired([1.0, 10.0, 100.0, 7.0], [2.0, 20.2, 199.0, 14.1])
    assert 1.95 < found.low < found.value < found.high < 2.05
    assert found.p < 1e-5
    back = paired([2.0, 20.2, 199.0, 14.1], [1.0, 10.0, 100.0, 7.0])
    assert back.value == pytest.approx(1 / found.value)
    assert back.low == pytest.approx(1 / found.high)
