"""What is measured but is no time: peak memory, and the state of the device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pynvml
import torch
from torch.autograd.profiler import profile

# Why a clock is lower than it could be; bits of NVML's `nvmlClocksEventReasons`.
THROTTLED = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}


@dataclass(frozen=True)
class Memory:
    """Most bytes that were live at once beyond those before the call, and what the allocator held."""

    peak_bytes: int
    reserved_bytes: int | None


def memory(call: Callable[[], object], device: str) -> Memory:
    """Of one call: its output counts, its inputs do not."""
    return _cuda_memory(call) if device == "cuda" else _cpu_memory(call)


def _cuda_memory(call: Callable[[], object]) -> Memory:
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return Memory(torch.cuda.max_memory_allocated() - before, torch.cuda.max_memory_reserved())


def _cpu_memory(call: Callable[[], object]) -> Memory:
    """Exact: every allocation and release of torch's allocator, as the profiler saw them."""
    with profile(use_kineto=False, profile_memory=True) as profiled:  # Kineto takes 2 s to start
        call()
    live = peak = 0
    for event in profiled.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return Memory(peak, None)


def device_state(device: str) -> str:
    """Clock, power and temperature as text, and why the clock is low if it is; empty on a CPU."""
    if device != "cuda":
        return ""
    try:
        return _state(handle(pynvml, torch.cuda.get_device_properties("cuda").uuid))
    except pynvml.NVMLError as error:
        return f"not told: {error}"


def handle(nvml: Any, uuid: object) -> Any:
    """NVML's own handle of the device that torch knows by this id: the two may count devices differently."""
    nvml.nvmlInit()
    return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")


def _state(handle: object) -> str:
    clock = pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)
    power = pynvml.nvmlDeviceGetPowerUsage(handle) / 1e3
    heat = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
    reasons = pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    throttled = [name for bit, name in THROTTLED.items() if reasons & bit]
    return f"{clock} MHz, {power:.0f} W, {heat} °C" + "".join(f", throttled: {name}" for name in throttled)
