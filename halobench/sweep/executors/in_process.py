"""The executor that measures in this very process, on a device that is handed in: the fake one, in tests."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from halobench.case import Case
from halobench.device.device import Device
from halobench.measure.measurement import measure
from halobench.measure.workload import Settings
from halobench.results.record import Record


@dataclass(frozen=True)
class InProcess:
    """Nothing separates the cases: no timeout, and a crash is the end. `process` gives a device for each."""

    settings: Settings
    process: Callable[[], Device]

    def start(self, plan: Iterable[Case]) -> None:
        """Do nothing: this process imports what it needs when it needs it."""

    def measure(self, group: Sequence[Case]) -> Iterator[Record]:
        for case in group:
            yield measure(case, self.settings, self.process())
