"""An NVIDIA GPU, or an AMD one that torch calls by the same name."""

from collections.abc import Callable
from time import perf_counter

import torch

from halobench.device import nvml
from halobench.device.clock import Call, Clocks, Event, QueueClock, elapsed
from halobench.device.cpu import Cpu, matrix_rate
from halobench.device.memory import Memory

SPIN_HZ = 3e9  # cycles a second of the fastest device there is: a slower one only spins longer
WARM_S = 0.1
SIDE = 4096  # of the matrices whose product gives the rate


class Cuda(Cpu):
    """The current CUDA device; the process uses the host as one that computes on the CPU does."""

    def clocks(self) -> Clocks:
        return cold_clock(), QueueClock(CudaQueue(), cold=False)

    def timed(self, call: Call) -> float:
        torch.cuda.synchronize()

        def finished() -> None:
            call()
            torch.cuda.synchronize()

        return elapsed(finished)

    def warm_up(self, call: Call) -> None:
        end = self.now() + WARM_S
        while self.now() < end:
            call()
            torch.cuda.synchronize()

    def memory(self, call: Call) -> Memory:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return Memory(torch.cuda.max_memory_allocated() - before, torch.cuda.max_memory_reserved())

    def state(self) -> str:
        return nvml.state(torch.cuda.get_device_properties("cuda").uuid)

    def matrix_rate(self, dtype: str) -> float:
        return matrix_rate(cold_clock(), dtype, "cuda", SIDE)


class CudaQueue:
    """The current stream; `evicting` makes what empties a cache of so many bytes."""

    def __init__(self, evicting: Callable[[int], Call] | None = None) -> None:
        self._evict = evicting and evicting(torch.cuda.get_device_properties("cuda").L2_cache_size)

    def now(self) -> float:
        return perf_counter()

    def events(self, count: int) -> list[Event]:
        return [torch.cuda.Event(enable_timing=True) for _ in range(count)]

    def spin(self, seconds: float) -> None:
        torch.cuda._sleep(int(seconds * SPIN_HZ))

    def evict(self) -> None:
        assert self._evict is not None
        self._evict()

    def synchronize(self) -> None:
        torch.cuda.synchronize()


def cold_clock(evicting: Callable[[int], Call] | None = None) -> QueueClock:
    """Return a clock before whose calls the L2 cache is emptied, by what `evicting` makes for its size."""
    return QueueClock(CudaQueue(evicting or reading), cold=True)


def reading(cache_bytes: int) -> Call:
    """Return what fills a cache with lines that need no writing back: twice its size written, then read.

    Where lines are only written, the call that is timed pays for writing them to memory.
    """
    written, read = torch.zeros((2, 2 * cache_bytes // 4), dtype=torch.float32, device="cuda")

    def evict() -> None:
        written.zero_()
        read.sum()

    return evict
