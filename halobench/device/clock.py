"""Sources of time. A clock runs a call several times and says how many seconds each took.

The system's clock is bound here, before any plug-in is imported: what is put in its place later is not asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

SPIN_LIMIT_S = 0.01  # longest that a launch is hidden behind a busy device
SPARE_S = 5e-5  # that the device stays busy beyond: no two launches are alike
EVENTS_S = 1e-5  # to record two events
Call = Callable[[], object]


@dataclass(frozen=True)
class Sample:
    """Seconds that the work took on its device, and seconds until the call returned."""

    device_s: float
    host_s: float


class Clock(Protocol):
    def series(self, call: Call, count: int) -> list[Sample]: ...


Clocks = tuple[Clock, Clock | None]  # cold, and back to back where that differs


class Event(Protocol):
    """A mark in a device's queue of work; `torch.cuda.Event` is one."""

    def record(self) -> None:
        """Put the mark at the end of the queue."""

    def elapsed_time(self, end: Any, /) -> float:
        """Return the milliseconds to another mark, where the device has come to both."""


class Queue(Protocol):
    """A device that works off what the host launches, in order, while the host goes on."""

    def now(self) -> float:
        """Return the host's time in seconds, from any origin."""

    def events(self, count: int) -> list[Event]: ...

    def spin(self, seconds: float) -> None:
        """Launch work that takes so long, or a little longer."""

    def evict(self) -> None:
        """Launch what leaves nothing of use in the device's cache."""

    def synchronize(self) -> None:
        """Wait until the queue is empty."""


class WallClock:
    """Host time; for work that has finished when the call returns."""

    def __init__(self, now: Callable[[], float] = perf_counter) -> None:
        self._now = now

    def series(self, call: Call, count: int) -> list[Sample]:
        return [Sample(seconds, seconds) for seconds in (elapsed(call, self._now) for _ in range(count))]


class QueueClock:
    """Device time between two events around each call, launches hidden behind a device that is busy.

    Cold: the cache is emptied before each call. Otherwise the calls follow each other back to back. A clock
    knows how long the launches of one call take: each call wants its own.
    """

    def __init__(self, queue: Queue, *, cold: bool) -> None:
        self._queue = queue
        self._cold = cold
        self._launch_s = 0.0  # shortest yet: a call that waits for the device takes as long as it is busy

    def series(self, call: Call, count: int) -> list[Sample]:
        queue = self._queue
        starts, ends = queue.events(count), queue.events(count)
        host: list[float] = []
        while len(host) < count:
            burst = min(self._burst(), count - len(host))
            if self._cold:
                queue.evict()
            self._keep_busy(burst)
            for _ in range(burst):
                starts[len(host)].record()
                seconds = elapsed(call, queue.now)
                ends[len(host)].record()
                host.append(seconds)
                self._launch_s = min(self._launch_s or seconds, seconds)
            queue.synchronize()  # a full queue would make the next launch wait, and look slow
        times = (start.elapsed_time(end) / 1e3 for start, end in zip(starts, ends, strict=True))
        return [Sample(device_s, host_s) for device_s, host_s in zip(times, host, strict=True)]

    def _burst(self) -> int:
        """Calls that are launched while the device is busy, and follow each other there."""
        if self._cold or not self._launch_s:
            return 1
        return max(1, int((SPIN_LIMIT_S - SPARE_S) / (2 * self._launch_s + EVENTS_S)))

    def _keep_busy(self, calls: int) -> None:
        """Keep the device busy for twice the shortest launch of each call, and a little longer."""
        seconds = calls * (2 * self._launch_s + EVENTS_S) + SPARE_S
        self._queue.spin(min(seconds, SPIN_LIMIT_S))


def elapsed(call: Call, now: Callable[[], float] = perf_counter) -> float:
    """Return the seconds until the call returned."""
    start = now()
    call()
    return now() - start
