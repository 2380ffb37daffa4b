"""Peak memory of one call."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.autograd.profiler import profile


@dataclass(frozen=True)
class Memory:
    """Most bytes that were live at once beyond those before the call, and what the allocator held."""

    peak_bytes: int
    reserved_bytes: int | None


def memory(call: Callable[[], object], device: str) -> Memory:
    """Return the peak memory of one call: its output counts, its inputs do not."""
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
