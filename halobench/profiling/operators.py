"""Where the time of a case goes by operator, as torch's profiler sees one call."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from halobench.case import Case
from halobench.device.device import device
from halobench.measure.measurement import workload
from halobench.measure.workload import Settings


@dataclass(frozen=True)
class Operator:
    """All calls of an operator, or on a GPU of a kernel, in one call of the case."""

    name: str
    calls: int
    seconds: float  # its own, without what it calls


def profiled(case: Case, settings: Settings, trace: Path | None) -> list[Operator]:
    """The longest first, each a little longer than without a profiler; the trace is a file for Perfetto."""
    torch.set_num_threads(case.threads)
    ready = workload(case).prepare(case, settings, device(case.device))
    ready.first()
    on_gpu = case.device == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as found:
        ready.call()
        if on_gpu:
            torch.cuda.synchronize()
    if trace is not None:
        found.export_chrome_trace(str(trace))
    times = [
        Operator(event.key, event.count, _own_us(event, on_gpu) * 1e-6) for event in found.key_averages()
    ]
    return sorted((one for one in times if one.seconds > 0), key=lambda one: -one.seconds)


def _own_us(event: torch.autograd.profiler_util.FunctionEventAvg, on_gpu: bool) -> float:
    return float(event.self_device_time_total if on_gpu else event.self_cpu_time_total)
