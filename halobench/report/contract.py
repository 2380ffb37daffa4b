"""The contract of a report: a function from the frame of cases to Markdown or a figure."""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from halobench.registry import Registry

GROUP = "halobench.reports"  # entry points of this group are reports
Render = Callable[[pd.DataFrame], str | Figure]
REPORTS: Registry[Render] = Registry("report")


def report(name: str) -> Callable[[Render], Render]:
    """Register a function from the frame with metrics to what a reader sees; its docstring is the title."""

    def register(render: Render) -> Render:
        REPORTS.add(name, render)
        return render

    return register


def title(name: str) -> str:
    """What a report shows, in a line: its docstring."""
    words = (REPORTS[name].__doc__ or name).strip()
    return words.splitlines()[0].rstrip(".")
