"""A clock that answers with given times, for tests."""

from collections.abc import Iterable, Iterator

from halobench.device.clock import Call, Sample


class FakeClock:
    """Runs the call and answers with the next of the given times; for tests."""

    def __init__(self, times: Iterable[float]) -> None:
        self._times: Iterator[float] = iter(times)

    def series(self, call: Call, count: int) -> list[Sample]:
        samples = []
        for _ in range(count):
            call()
            seconds = next(self._times)
            samples.append(Sample(seconds, seconds))
        return samples
