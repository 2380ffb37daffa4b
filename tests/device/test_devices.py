"""The CPU, the GPU and the fake machine, as `Device` says that they are."""

from types import SimpleNamespace

import pytest
import torch

from halobench.device import cpu, nvml
from halobench.device.clock import QueueClock
from halobench.device.cpu import Cpu
from halobench.device.cuda import CudaQueue, cold_clock
from halobench.device.device import device
from halobench.device.fake import FakeClock, FakeMachine, Noise


def test_the_peak_counts_what_lives_at_once_and_not_the_inputs():
    x = torch.ones(1000, 1000)
    assert Cpu().memory(lambda: (x * x) * x).peak_bytes == 2 * 4_000_000


def test_what_is_released_in_between_is_not_counted_twice():
    def call():
        for _ in range(3):
            torch.ones(1000, 1000)

    assert Cpu().memory(call).peak_bytes == 4_000_000


def test_a_cpu_has_no_state_and_nothing_cold_or_hot():
    assert device("cpu").state() == ""
    assert device("cpu").clocks()[1] is None


def test_one_call_is_timed():
    assert 0 < device("cpu").timed(lambda: sum(range(1000))) < 1


def test_the_rate_of_products_is_that_of_the_fastest():
    times = [9.0, 2.0, *[9.0] * 6, 4.0, 1.0, *[9.0] * 6]
    assert cpu.matrix_rate(FakeClock(times), "bfloat16", "cpu", 384) == 2 * 384**3


def test_a_throttled_gpu_says_so(monkeypatch):
    driver = SimpleNamespace(
        NVML_CLOCK_SM=1,
        NVML_TEMPERATURE_GPU=0,
        NVMLError=Exception,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetClockInfo=lambda handle, kind: 1980,
        nvmlDeviceGetPowerUsage=lambda handle: 699_400,
        nvmlDeviceGetTemperature=lambda handle, kind: 61,
        nvmlDeviceGetCurrentClocksEventReasons=lambda handle: 0x4 | 0x20 | 0x1,
    )
    monkeypatch.setattr(nvml, "pynvml", driver)
    state = nvml.state("5cc67df5-0a3b")
    assert state == "1980 MHz, 699 W, 61 °C, throttled: power cap, throttled: software thermal slowdown"


def test_the_state_is_that_of_the_device_torch_uses(monkeypatch):
    def by_uuid(uuid):
        asked.append(uuid)
        raise Missing("no such device")

    asked, Missing = [], type("Missing", (Exception,), {})
    driver = SimpleNamespace(nvmlInit=lambda: None, nvmlDeviceGetHandleByUUID=by_uuid, NVMLError=Missing)
    monkeypatch.setattr(nvml, "pynvml", driver)
    properties = SimpleNamespace(uuid="5cc67df5-0a3b")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    assert device("cuda").state() == "not told: no such device"
    assert asked == ["GPU-5cc67df5-0a3b"]


def times(machine, calls=2000):
    """The log times of calls of 1 ms in a new process."""
    clock, _ = machine.process().clocks()
    samples = clock.series(lambda: machine.work(1e-3), calls)
    return torch.tensor([sample.device_s for sample in samples], dtype=torch.float64).div(1e-3).log()


def test_a_machine_without_noise_takes_exactly_as_long_as_it_is_told():
    assert times(FakeMachine()).abs().max() < 1e-9


def test_calls_scatter_within_a_process_and_between_processes():
    within = times(FakeMachine(noise=Noise(within=0.05)))
    assert within.std() == pytest.approx(0.05, rel=0.1)
    machine = FakeMachine(noise=Noise(between=0.05))
    processes = [times(machine, 3) for _ in range(2000)]
    assert max(each.std() for each in processes) < 1e-9
    assert torch.stack(processes)[:, 0].std() == pytest.approx(0.05, rel=0.1)


def test_times_drift_with_the_time_of_the_machine():
    drifted = times(FakeMachine(noise=Noise(drift=0.1)))
    assert drifted[0] == pytest.approx(0, abs=1e-9)
    assert drifted[-1].exp() == pytest.approx(1 + 0.1 * 2.2, rel=0.02)  # 2,000 calls take 2.2 s by then


def test_somebody_else_comes_and_goes_and_is_seen():
    machine = FakeMachine(noise=Noise(burst=3.0, burst_s=0.3, burst_every_s=0.3))
    slow = times(machine, 20_000).exp() > 2
    assert set(times(machine).exp().round().tolist()) <= {1.0, 3.0}
    assert 0.1 < slow.double().mean() < 0.5  # half of the time, in which fewer calls find room
    process = machine.process()
    assert 0 < process.others().others_s < process.others().wall_s


def test_a_machine_that_has_worked_for_long_throttles_and_says_so():
    machine = FakeMachine(throttles_after_s=1.0005, throttling=2.0)
    assert times(machine).exp().round().tolist() == [1.0] * 1001 + [2.0] * 999
    assert machine.process().state() == "throttled: fake"


def test_work_that_needs_too_much_memory_fails_as_torch_does():
    machine = FakeMachine(memory_bytes=100)
    process = machine.process()
    assert process.memory(lambda: machine.work(1.0, 100)).peak_bytes == 100
    with pytest.raises(RuntimeError, match="out of memory"):
        machine.work(1.0, 101)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cold_samples_of_a_small_copy_are_slower_than_hot_ones():
    x = torch.randn(2**21, device="cuda")  # 8 MiB: fits the L2 cache
    clocks = cold_clock(), QueueClock(CudaQueue(), cold=False)
    cold, hot = (min(sample.device_s for sample in clock.series(lambda: x + 1, 50)) for clock in clocks)
    assert cold > hot > 0
