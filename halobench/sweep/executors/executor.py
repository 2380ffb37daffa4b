"""What a sweep asks of an executor: to measure groups of cases, wherever that happens."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from halobench.case import Case
from halobench.results.record import Record


class Executor(Protocol):
    """Measures cases and never raises for what a case does: that becomes the status of its record."""

    def start(self, plan: Iterable[Case]) -> None:
        """Make ready for all cases that will be asked for."""

    def measure(self, group: Sequence[Case]) -> Iterator[Record]:
        """Yield a record of each case of the group, as soon as there is one."""
