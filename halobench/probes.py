"""What is measured beside the time: what it is made of, peak memory, and the state of the device."""

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pynvml
import torch
from torch.autograd.profiler import profile

from halobench.record import Usage

# Why a clock is lower than it could be; bits of NVML's `nvmlClocksEventReasons`.
THROTTLED = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}


STAT = Path("/proc/stat")
IDLE = (3, 4)  # columns of its first line, which counts the time of all processors: idle, waiting for a disk
GUEST = 8  # from here on: what user time holds already


def own() -> Usage:
    """What this process used since it started; the difference of two is what it used in between."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(
        user_s=spent.ru_utime,
        system_s=spent.ru_stime,
        page_faults=spent.ru_minflt + spent.ru_majflt,
        voluntary_switches=spent.ru_nvcsw,
        involuntary_switches=spent.ru_nivcsw,
    )


class Others:
    """What other processes use of the CPU from now on, and what a hypervisor gives to other machines."""

    def __init__(self) -> None:
        self._start = self._now()

    def usage(self) -> Usage:
        """So far; the system counts in steps of 10 ms, so that of a short time little is known."""
        wall_s, others_s = (now - start for now, start in zip(self._now(), self._start, strict=True))
        return Usage(wall_s=wall_s, others_s=max(0.0, others_s))

    def _now(self) -> tuple[float, float]:
        ours = own()
        return monotonic(), _busy_s() - ours.user_s - ours.system_s


def _busy_s() -> float:
    """CPU time of the whole machine so far, in seconds; 0 where the system does not tell."""
    try:
        ticks = [int(word) for word in STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    except OSError:
        return 0.0
    busy = sum(count for place, count in enumerate(ticks[:GUEST]) if place not in IDLE)
    return busy / os.sysconf("SC_CLK_TCK")


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


def answers(device: str) -> bool:
    """False after an error of CUDA that stays with the process: an illegal access, an assertion."""
    if device != "cuda":
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True
