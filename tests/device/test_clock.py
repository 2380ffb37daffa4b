"""Clocks on a machine in virtual time, where what they must tell is known exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halobench.device.clock import SPIN_LIMIT_S, QueueClock, WallClock
from halobench.device.fake import FakeClock, FakeMachine

SHORT = st.floats(1e-7, 1e-2)


def queue(**fields):
    return FakeMachine(queue=True, **fields).process()


def worked(device, cold, works, count=None):
    """Seconds on the device of calls that launch these pieces of work."""

    def call():
        for seconds in works:
            device.machine.work(seconds)

    samples = QueueClock(device, cold=cold).series(call, count or 8)
    return [sample.device_s for sample in samples], [sample.host_s for sample in samples]


@given(st.lists(SHORT, min_size=1, max_size=5), st.floats(0, 1e-3), st.booleans())
def test_a_sample_is_the_time_on_the_device_once_the_launches_are_known(works, launch_s, cold):
    """However long launches take: they are hidden behind a device that is busy."""
    on_device, on_host = worked(queue(launch_s=launch_s), cold, works)
    assert on_device[1:] == pytest.approx([sum(works)] * 7, abs=1e-9)
    assert on_host == pytest.approx([launch_s * len(works)] * 8, abs=1e-9)


def test_the_first_launch_is_hidden_only_if_it_is_short():
    assert worked(queue(launch_s=5e-5), True, [1e-3])[0][0] == pytest.approx(1e-3)
    assert worked(queue(launch_s=5e-3), True, [1e-3])[0][0] > 5e-3


def test_launches_that_are_longer_than_what_hides_them_show():
    """The samples are then the launches' time: `host_s` says so."""
    on_device, on_host = worked(queue(launch_s=3 * SPIN_LIMIT_S), True, [1e-3] * 2)
    assert min(on_device) > 4 * SPIN_LIMIT_S
    assert on_host == pytest.approx([6 * SPIN_LIMIT_S] * 8)


def test_only_cold_calls_find_an_empty_cache():
    device = queue(cold=3.0)
    assert worked(device, True, [1e-3])[0] == pytest.approx([3e-3] * 8)
    device.machine.work(1e-3)
    assert worked(device, False, [1e-3])[0] == pytest.approx([1e-3] * 8)


def test_hot_calls_follow_each_other_without_a_wait():
    """One by one until the launch is known, then as many as a busy device can hide."""

    class Waits:
        def __init__(self, device):
            self.device, self.count = device, 0

        def __getattr__(self, name):
            return getattr(self.device, name)

        def synchronize(self):
            self.count += 1
            self.device.synchronize()

    device = Waits(queue(launch_s=1e-3))
    QueueClock(device, cold=False).series(lambda: device.machine.work(1e-4), 9)
    assert device.count == 1 + 2  # 1 call, then twice 4 whose launches are hidden by 10 ms of work


def test_a_call_that_waits_for_the_device_is_not_hidden_ever_longer():
    device, spun = queue(launch_s=1e-5), []
    spin = device.spin

    def spinning(seconds):
        spun.append(seconds)
        spin(seconds)

    device.spin = spinning

    def waiting():
        device.machine.work(1e-3)
        device.synchronize()

    QueueClock(device, cold=True).series(waiting, 9)
    assert max(spun) < 3e-3


def test_a_series_calls_as_often_as_asked():
    calls = []
    samples = WallClock().series(lambda: calls.append(1), 3)
    assert len(calls) == len(samples) == 3
    assert all(sample.device_s == sample.host_s >= 0 for sample in samples)


def test_a_wall_clock_tells_the_time_of_its_machine():
    machine = FakeMachine()
    samples = WallClock(machine.process().now).series(lambda: machine.work(2.0), 3)
    assert [sample.device_s for sample in samples] == [2.0] * 3


def test_the_fake_clock_answers_what_it_was_given():
    calls = []
    samples = FakeClock([1.0, 2.0]).series(lambda: calls.append(1), 2)
    assert [sample.device_s for sample in samples] == [1, 2]
    assert len(calls) == 2
