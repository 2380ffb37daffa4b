"""What a user sees before and after a sweep: what it will take, and tables of times as wide as the screen."""

from collections.abc import Iterator, Mapping

import pandas as pd
from rich.table import Table
from rich.text import Text

from halobench import units
from halobench.report import summary

LEAST_WIDTH, PADDING = 11, 3  # of a column of times: `unsupported` fits; and of what is around it


def costs_table(costs: Mapping[str, tuple[int, float]]) -> Table:
    """Show the cases and seconds of a plan by name."""
    table = Table(title="where the time goes", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for head in ("cases", "about"):
        table.add_column(head, justify="right")
    for name, (count, seconds) in costs.items():
        table.add_row(Text(name), str(count), units.seconds(seconds))
    return table


def tables(title: str, frame: pd.DataFrame, width: int) -> Iterator[Table]:
    """Times, the fastest of a row in bold; implementations that do not fit beside the others come below."""
    shared, header, rows = summary.table(frame)
    problem, *names = header
    title = f"{title}: median time, the fastest in bold ({shared})"
    left = width - max(len(row[0][0]) for row in rows) - PADDING
    for places in _fitting(names, left):
        kept = [row for row in rows if any(row[place + 1][0] != units.NOTHING for place in places)]
        table = Table(title=title, title_justify="left")
        table.add_column(problem, overflow="fold")
        for place in places:
            table.add_column(_wrapped(names[place]), justify="right", no_wrap=True, min_width=LEAST_WIDTH)
        for row in kept:
            cells = [row[0], *(row[place + 1] for place in places)]
            table.add_row(*(Text(cell, style="bold" if best else "") for cell, best in cells))
        yield table
        title = f"{frame['workload'].iloc[0]}: where the others were measured"


def _fitting(names: list[str], width: int) -> Iterator[list[int]]:
    """Places of names that fit side by side, one at least."""
    places: list[int] = []
    used = 0
    for place, name in enumerate(names):
        own = max(LEAST_WIDTH, *map(len, _wrapped(name).split("\n"))) + PADDING
        if places and used + own > width:
            yield places
            places, used = [], 0
        places, used = [*places, place], used + own
    yield places


def _wrapped(name: str) -> str:
    return name.replace("_", "_\n", 1)
