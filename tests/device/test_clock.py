from types import SimpleNamespace

import pytest
import torch

from halobench.device import clock
from halobench.device.clock import (
    EVENTS_S,
    SPARE_S,
    SPIN_HZ,
    SPIN_LIMIT_S,
    CudaClock,
    WallClock,
    clocks,
    timed,
)
from halobench.device.fake import FakeClock

BRIEF_S = EVENTS_S + SPARE_S


@pytest.fixture
def device(monkeypatch):
    """A device that only notes what it is asked to do, with launches that take the given seconds."""

    class Event:
        def __init__(self, enable_timing):
            self.record = lambda: asked.append("event")
            self.elapsed_time = lambda end: 5.0  # milliseconds

    def launching(call):
        call()
        return launches.pop(0)

    asked, launches = [], []
    cuda = SimpleNamespace(
        Event=Event,
        get_device_properties=lambda name: SimpleNamespace(L2_cache_size=8),
        synchronize=lambda: asked.append("wait"),
        _sleep=lambda cycles: asked.append(cycles / SPIN_HZ),
    )

    def zeros(size, **options):
        assert size == (2, 4)  # twice the cache, in numbers of four bytes
        buffers = {"zero_": lambda: asked.append("write")}, {"sum": lambda: asked.append("read")}
        return [SimpleNamespace(**methods) for methods in buffers]

    fake = SimpleNamespace(cuda=cuda, float32=torch.float32, zeros=zeros)
    monkeypatch.setattr(clock, "torch", fake)
    monkeypatch.setattr(clock, "_elapsed", launching)
    return SimpleNamespace(asked=asked, launches=launches)


def test_a_cold_call_follows_a_flush_and_is_hidden_behind_a_busy_device(device):
    device.launches += [1e-3, 4e-3]
    samples = CudaClock(cold=True).series(lambda: device.asked.append("call"), 2)
    one = ["event", "call", "event", "wait"]
    flush = ["write", "read"]
    assert device.asked == [*flush, BRIEF_S, *one, *flush, 2e-3 + BRIEF_S, *one]
    assert [(sample.device_s, sample.host_s) for sample in samples] == [(5e-3, 1e-3), (5e-3, 4e-3)]


def test_hot_calls_follow_each_other_behind_a_device_that_is_busy_for_all_their_launches(device):
    device.launches += [1e-3] * 9
    CudaClock(cold=False).series(lambda: device.asked.append("call"), 9)
    one = ["event", "call", "event"]
    busy = pytest.approx(4 * (2e-3 + EVENTS_S) + SPARE_S)
    first = [BRIEF_S, *one, "wait"]  # how long a launch takes is not known before
    assert device.asked == [*first, *[busy, *one * 4, "wait"] * 2]


def test_a_call_that_waits_for_the_device_is_not_hidden_ever_longer(device):
    device.launches += [1e-3, 3e-3, 7e-3]
    CudaClock(cold=True).series(lambda: None, 3)
    assert [known for known in device.asked if isinstance(known, float)][1:] == [2e-3 + BRIEF_S] * 2


def test_a_launch_of_seconds_is_hidden_no_longer_than_allowed(device):
    device.launches += [3.0, 3.0]
    CudaClock(cold=True).series(lambda: None, 2)
    assert SPIN_LIMIT_S in device.asked


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
    fastest = [min(sample.device_s for sample in series) for series in (cold, hot)]
    assert fastest[0] > fastest[1] > 0
