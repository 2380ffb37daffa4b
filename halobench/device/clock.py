"""Sources of time. A clock runs a call several times and says how many seconds each took.

The system's clock is bound here, before any plug-in is imported: what is put in its place later is not asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import torch

SPIN_LIMIT_S = 0.01  # longest that a launch is hidden behind a busy device
SPARE_S = 5e-5  # that the device stays busy beyond: no two launches are alike
EVENTS_S = 1e-5  # to record two events
SPIN_HZ = 3e9  # cycles a second of the fastest device there is: a slower one only spins longer
WARM_S = 0.1
Call = Callable[[], object]


@dataclass(frozen=True)
class Sample:
    """Seconds that the work took on its device, and seconds until the call returned."""

    device_s: float
    host_s: float


class Clock(Protocol):
    def series(self, call: Call, count: int) -> list[Sample]: ...


class WallClock:
    """Host time; for work that has finished when the call returns."""

    def series(self, call: Call, count: int) -> list[Sample]:
        return [Sample(seconds, seconds) for seconds in (_elapsed(call) for _ in range(count))]


class CudaClock:
    """Device time between two events around each call, launches hidden behind a device that is busy.

    Cold: what `flush` gives is called before each call. Otherwise the calls follow each other back to back. A
    clock knows how long the launches of one call take: each call wants its own.
    """

    def __init__(self, *, cold: bool, flush: Callable[[int], Call] | None = None) -> None:
        size = torch.cuda.get_device_properties("cuda").L2_cache_size
        self._flush = (flush or evicting)(size) if cold else None
        self._launch_s = 0.0  # shortest yet: a call that waits for the device takes as long as it is busy

    def series(self, call: Call, count: int) -> list[Sample]:
        starts, ends = ([torch.cuda.Event(enable_timing=True) for _ in range(count)] for _ in range(2))
        host: list[float] = []
        while len(host) < count:
            burst = min(self._burst(), count - len(host))
            if self._flush is not None:
                self._flush()
            self._keep_busy(burst)
            for _ in range(burst):
                starts[len(host)].record()
                seconds = _elapsed(call)
                ends[len(host)].record()
                host.append(seconds)
                self._launch_s = min(self._launch_s or seconds, seconds)
            torch.cuda.synchronize()  # a full queue would make the next launch wait, and look slow
        times = (start.elapsed_time(end) / 1e3 for start, end in zip(starts, ends, strict=True))
        return [Sample(device_s, host_s) for device_s, host_s in zip(times, host, strict=True)]

    def _burst(self) -> int:
        """Calls that are launched while the device is busy, and follow each other there."""
        if self._flush is not None or not self._launch_s:
            return 1
        return max(1, int((SPIN_LIMIT_S - SPARE_S) / (2 * self._launch_s + EVENTS_S)))

    def _keep_busy(self, calls: int) -> None:
        """Keep the device busy for twice the shortest launch of each call, and a little longer."""
        seconds = calls * (2 * self._launch_s + EVENTS_S) + SPARE_S
        torch.cuda._sleep(int(min(seconds, SPIN_LIMIT_S) * SPIN_HZ))


def evicting(cache_bytes: int) -> Call:
    """What fills a cache with lines that need no writing back: twice its size is written, then as much read.

    Where lines are only written, the call that is timed pays for writing them to memory.
    """
    written, read = torch.zeros((2, 2 * cache_bytes // 4), dtype=torch.float32, device="cuda")

    def flush() -> None:
        written.zero_()
        read.sum()

    return flush


def clocks(device: str) -> tuple[Clock, Clock | None]:
    """The clock for cold samples, and the one for samples back to back where the two differ."""
    if device == "cuda":
        return CudaClock(cold=True), CudaClock(cold=False)
    return WallClock(), None


def warm_up(call: Call, device: str) -> None:
    """Let a GPU that was idle raise its clock; a CPU has computed the check just before."""
    if device != "cuda":
        return
    end = perf_counter() + WARM_S
    while perf_counter() < end:
        call()
        torch.cuda.synchronize()


def timed(call: Callable[[], object], device: str) -> float:
    """Seconds of one call until all it started has finished."""
    if device != "cuda":
        return _elapsed(call)
    torch.cuda.synchronize()

    def finished() -> None:
        call()
        torch.cuda.synchronize()

    return _elapsed(finished)


def _elapsed(call: Call) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
