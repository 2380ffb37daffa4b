"""The contract of a report: a function from the frame of cases to Markdown or a figure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd
from matplotlib.figure import Figure

from halobench.registry import Registry

GROUP = "halobench.reports"  # entry points of this group are reports

Render = Callable[[pd.DataFrame], str | Figure]
# As they follow on the page: first the figures that most come for.
Section = Literal["overview", "attention", "models", "published", "measurement", "sources"]


class Nothing(str):
    """What a report gives that has nothing to show of a frame: the reason, in a sentence."""

    __slots__ = ()


@dataclass(frozen=True)
class Report:
    """What a reader sees of a frame with its metrics, and its place on the page."""

    name: str
    render: Render
    section: Section
    order: int

    def __call__(self, frame: pd.DataFrame) -> str | Figure:
        return self.render(frame)

    @property
    def title(self) -> str:
        """The first line of the function's docstring."""
        return (self.render.__doc__ or self.name).strip().splitlines()[0].rstrip(".")

    @property
    def place(self) -> tuple[int, int, str]:
        """Reports sorted by this are in the order of the page."""
        return get_args(Section).index(self.section), self.order, self.name


REPORTS: Registry[Report] = Registry("report", GROUP)


def report(name: str, *, section: Section = "attention", order: int = 1000) -> Callable[[Render], Render]:
    """Register a function from the frame with metrics to Markdown or a figure; its docstring is the title.

    Args:
        name: the name of its file, and of what it writes.
        section: where on the page it stands.
        order: its place among the reports of the section; the smallest comes first.

    Returns:
        A decorator that returns the function as it is. The function returns `Nothing` with a reason where it
        has nothing to show.

    Raises:
        ValueError: the name is taken.

    Example:
        >>> @report("slowest", section="measurement")
        ... def slowest(frame: pd.DataFrame) -> str:
        ...     '''The slowest case.'''
        ...     return f"{frame['time_s'].max()} s"
        >>> REPORTS["slowest"].title
        'The slowest case'
        >>> REPORTS.remove("slowest")
    """

    def register(render: Render) -> Render:
        REPORTS.add(name, Report(name, render, section, order))
        return render

    return register
