from types import SimpleNamespace

import torch

from halobench.device import memory, nvml


def test_the_peak_counts_what_lives_at_once_and_not_the_inputs():
    x = torch.ones(1000, 1000)
    peak = memory.memory(lambda: (x * x) * x, "cpu").peak_bytes
    assert peak == 2 * 4_000_000


def test_what_is_released_in_between_is_not_counted_twice():
    def call():
        for _ in range(3):
            torch.ones(1000, 1000)

    assert memory.memory(call, "cpu").peak_bytes == 4_000_000


def test_a_cpu_has_no_state():
    assert nvml.device_state("cpu") == ""


def test_a_throttled_gpu_says_so(monkeypatch):
    fake = SimpleNamespace(
        NVML_CLOCK_SM=1,
        NVML_TEMPERATURE_GPU=0,
        nvmlDeviceGetClockInfo=lambda handle, kind: 1980,
        nvmlDeviceGetPowerUsage=lambda handle: 699_400,
        nvmlDeviceGetTemperature=lambda handle, kind: 61,
        nvmlDeviceGetCurrentClocksEventReasons=lambda handle: 0x4 | 0x20 | 0x1,
    )
    monkeypatch.setattr(nvml, "pynvml", fake)
    state = nvml._state(None)
    assert state == "1980 MHz, 699 W, 61 °C, throttled: power cap, throttled: software thermal slowdown"


def test_the_state_is_that_of_the_device_torch_uses(monkeypatch):
    def by_uuid(uuid):
        asked.append(uuid)
        raise Missing("no such device")

    asked, Missing = [], type("Missing", (Exception,), {})
    fake = SimpleNamespace(nvmlInit=lambda: None, nvmlDeviceGetHandleByUUID=by_uuid, NVMLError=Missing)
    monkeypatch.setattr(nvml, "pynvml", fake)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="5cc67df5-0a3b")
    )
    assert nvml.device_state("cuda") == "not told: no such device"
    assert asked == ["GPU-5cc67df5-0a3b"]
