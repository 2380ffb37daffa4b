"""A machine whose calls take the time and the memory that a test says, with the noise that it sets.

Its clock moves when work is done on it and at no other time, so that a sweep of hours takes as long as its
code does. The work is done by `FakeMachine.work`, which an implementation calls beside what it computes.
"""

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from halobench.device.clock import Call, Clocks, Event, QueueClock, Sample, WallClock
from halobench.device.cpu import Cpu
from halobench.device.memory import Memory
from halobench.device.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What makes times differ from what a test says they are; nothing does by default."""

    within: float = 0.0  # standard deviation of the log time of a call, in one process
    between: float = 0.0  # standard deviation of the log time of all calls of a process
    drift: float = 0.0  # relative change of all times in a second
    burst: float = 1.0  # factor while somebody else is at work on the machine
    burst_s: float = 1.0  # that a burst lasts
    burst_every_s: float = math.inf  # mean time from the end of one to the next


class FakeMachine:
    """A machine in virtual time.

    Args:
        noise: of its times.
        queue: work is launched, as on a GPU, and the host goes on after `launch_s`; else it waits for it.
        launch_s: seconds that a launch takes the host.
        cold: factor on the time of the first work after the cache was emptied, on a machine with a queue.
        memory_bytes: work that needs more raises what torch raises.
        throttles_after_s: seconds of work from which on the machine is slower by the factor `throttling`.
        matrix_rate: FLOP a second that nothing exceeds.
        seed: of the noise.
    """

    def __init__(  # noqa: PLR0913  one keyword a property of the machine
        self,
        *,
        noise: Noise = Noise(),
        queue: bool = False,
        launch_s: float = 0.0,
        cold: float = 1.0,
        memory_bytes: float = math.inf,
        throttles_after_s: float = math.inf,
        throttling: float = 1.0,
        matrix_rate: float = math.inf,
        seed: int = 0,
    ) -> None:
        self.noise = noise
        self.queue = queue
        self.launch_s = launch_s
        self.cold = cold
        self.memory_bytes = memory_bytes
        self.throttles_after_s = throttles_after_s
        self.throttling = throttling
        self.matrix_rate = matrix_rate
        self.now_s = 0.0  # of the host
        self.idle_s = 0.0  # when the queue will be empty
        self.busy_s = 0.0  # work of all processes so far
        self.evicted = False
        self.others_s = 0.0  # work of somebody else so far
        self._chance = random.Random(seed)
        self._burst = self._next_burst()
        self._process = FakeDevice(self)

    @property
    def throttled(self) -> bool:
        return self.busy_s > self.throttles_after_s

    def process(self) -> "FakeDevice":
        """Begin a process, which is the one that works from now on."""
        self._process = FakeDevice(self, math.exp(self._chance.gauss(0.0, self.noise.between)))
        return self._process

    def work(self, seconds: float, nbytes: int = 0) -> None:
        """Do work that takes so long where nothing disturbs it; RuntimeError beyond the memory."""
        if nbytes > self.memory_bytes:
            raise RuntimeError(f"out of memory: tried to allocate {nbytes} of {self.memory_bytes} bytes")
        self._process.peak_bytes = max(self._process.peak_bytes, nbytes)
        self._process.calls += 1
        took = seconds * self._factor()
        self.evicted = False
        if self.queue:
            self.now_s += self.launch_s
            self.idle_s = max(self.now_s, self.idle_s) + took
        else:
            self.now_s += took
        self.busy_s += took
        self._process.worked_s += took

    def _factor(self) -> float:
        noise = self.noise
        factor = self._process.factor * math.exp(self._chance.gauss(0.0, noise.within))
        factor *= 1 + noise.drift * self.now_s
        if self.throttled:
            factor *= self.throttling
        if self.queue and self.evicted:
            factor *= self.cold
        return factor * (noise.burst if self._in_burst() else 1.0)

    def _in_burst(self) -> bool:
        while self.now_s >= self._burst + self.noise.burst_s:
            self.others_s += self.noise.burst_s
            self._burst = self._next_burst()
        return self.now_s >= self._burst

    def _next_burst(self) -> float:
        every_s = self.noise.burst_every_s
        return math.inf if math.isinf(every_s) else self.now_s + self._chance.expovariate(1 / every_s)


@dataclass
class FakeDevice:
    """A process on a fake machine, as a `Device`; its calls are slower than the machine's by `factor`."""

    machine: FakeMachine
    factor: float = 1.0
    peak_bytes: int = 0
    worked_s: float = 0.0
    calls: int = 0

    def now(self) -> float:
        return self.machine.now_s

    def clocks(self) -> Clocks:
        if self.machine.queue:
            return QueueClock(self, cold=True), QueueClock(self, cold=False)
        return WallClock(self.now), None

    def timed(self, call: Call) -> float:
        self.synchronize()
        start = self.now()
        call()
        self.synchronize()
        return self.now() - start

    def warm_up(self, call: Call) -> None:
        call()

    def memory(self, call: Call) -> Memory:
        self.peak_bytes = 0
        call()
        return Memory(self.peak_bytes)

    def state(self) -> str:
        return "throttled: fake" if self.machine.throttled else ""

    def matrix_rate(self, dtype: str) -> float:
        return self.machine.matrix_rate

    def usage(self) -> Usage:
        return Usage(user_s=self.worked_s)

    def others(self) -> Usage:
        return Usage(wall_s=self.machine.now_s, others_s=self.machine.others_s)

    def events(self, count: int) -> list[Event]:
        return [FakeEvent(self.machine) for _ in range(count)]

    def spin(self, seconds: float) -> None:
        self.machine.idle_s = max(self.machine.now_s, self.machine.idle_s) + seconds

    def evict(self) -> None:
        self.machine.evicted = True

    def synchronize(self) -> None:
        self.machine.now_s = max(self.machine.now_s, self.machine.idle_s)


@dataclass
class FakeEvent:
    """A mark in the queue of a fake machine."""

    machine: FakeMachine
    at_s: float = math.nan

    def record(self) -> None:
        self.at_s = max(self.machine.now_s, self.machine.idle_s)

    def elapsed_time(self, end: "FakeEvent", /) -> float:
        return (end.at_s - self.at_s) * 1e3


class FakeClock:
    """Runs the call and answers with the next of the given times."""

    def __init__(self, times: Iterable[float]) -> None:
        self._times: Iterator[float] = iter(times)

    def series(self, call: Call, count: int) -> list[Sample]:
        samples = []
        for _ in range(count):
            call()
            seconds = next(self._times)
            samples.append(Sample(seconds, seconds))
        return samples


class FakeTimes(Cpu):
    """The CPU, but for a clock that answers with the given times, one after the other."""

    def __init__(self, times: Iterable[float]) -> None:
        self._clock = FakeClock(times)

    def clocks(self) -> Clocks:
        return self._clock, None

    def matrix_rate(self, dtype: str) -> float:
        return math.inf
