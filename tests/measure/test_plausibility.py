import pytest
import torch

from halobench.measure.plausibility import doubt, nbytes
from halobench.results.record import Work

RATE = 1e9


def told(times=(1e-3, 2e-3), peak=100, result=100, flop=2_000_000):
    return doubt(times, peak, result, Work(flop=flop), RATE)


def test_what_can_be_is_not_doubted():
    assert told() == ""
    assert told(flop=None) == ""
    assert told(flop=3_000_000) == ""  # at the margin


@pytest.mark.parametrize("least", [0.0, -3.2])
def test_no_call_takes_less_than_nothing(least):
    assert told(times=(1.0, least)) == f"a call took {least:g} s"


def test_results_take_memory():
    assert (
        told(peak=0, result=16384) == "a call held 0 B of torch's memory at most, and its results are 16 KiB"
    )


def test_no_call_computes_faster_than_products_of_matrices_by_far():
    assert told(flop=6_000_000) == "a call did 6 GFLOP/s, and products of matrices reach 1 GFLOP/s here"


def test_memory_that_results_share_counts_once():
    x = torch.zeros(10)
    assert nbytes({"a": x, "b": x[:5], "c": torch.zeros(1).expand(1000)}) == 40 + 4
    assert nbytes(x) == 40
    assert nbytes(None) == 0
