import pytest
import torch

from halobench.clock import CudaClock, FakeClock, WallClock, clocks, timed


def test_a_series_calls_as_often_as_asked():
    calls = []
    samples = WallClock().series(lambda: calls.append(1), 3)
    assert len(calls) == len(samples) == 3
    assert all(sample.device_s == sample.host_s >= 0 for sample in samples)


def test_the_fake_clock_answers_what_it_was_given():
    calls = []
    samples = FakeClock([1.0, 2.0]).series(lambda: calls.append(1), 2)
    assert [sample.device_s for sample in samples] == [1, 2]
    assert len(calls) == 2


def test_a_cpu_has_no_cold_and_hot():
    assert clocks("cpu")[1] is None


def test_one_call_is_timed():
    assert timed(lambda: None, "cpu") < 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cold_samples_of_a_small_copy_are_slower_than_hot_ones():
    x = torch.randn(2**21, device="cuda")  # 8 MiB: fits the L2 cache
    cold, hot = (CudaClock(cold=cold).series(lambda: x + 1, 50) for cold in (True, False))
    medians = [sorted(sample.device_s for sample in series)[25] for series in (cold, hot)]
    assert medians[0] > medians[1] > 0
