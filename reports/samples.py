"""The samples behind the medians: how they spread, and whether they drift in the order they were taken."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from halobench import units
from halobench.axes import Row
from halobench.report import Nothing, colour, ordered, report
from halobench.report.style import AS_IS
from halobench.report.words import said
from halobench.results.derived import problem_columns

from ._axes import WIDTH, plain_numbers
from ._select import asked

TITLE = "Every sample of the largest problem that most implementations were measured on"
GOLDEN = 0.618  # steps of it fill a line evenly: points lie apart, and in the same way each time
MANY = 1000  # samples, from which on points are kept as an image: the page would be megabytes
LEAST_SPREAD = (0.95, 1.05)  # of the axis of ratios: noise of a thousandth does not look large
PASSES = {"forward_backward": 3, "training": 3}  # that are counted as work, for one forward pass

Panels = np.ndarray[Any, np.dtype[np.object_]]  # of Axes: line, column


@report("samples", section="attention", order=70)
def samples(frame: pd.DataFrame) -> Figure | str:
    """Every sample of the largest problem, and the order they were taken in."""
    known = frame[frame["samples_s"].notna()]
    if known.empty:
        return Nothing("No case has samples.\n")
    rows = _largest(known)
    rows = rows.assign(name=rows["implementation"].replace("", AS_IS)).set_index("name", drop=False)
    figure = Figure(figsize=(WIDTH, 1.5 + 0.8 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 2, sharex="col", squeeze=False)
    for (left, right), name in zip(grid, ordered(rows.index), strict=True):
        _spread(left, rows.loc[name].to_dict())
        _order(right, rows.loc[name].to_dict())
    _words(grid, last=max(map(len, rows["samples_s"])))
    figure.suptitle(f"{TITLE}\n{said(rows.iloc[0].to_dict(), asked(rows), usual=False)}", fontsize="medium")
    return figure


def _words(grid: Panels, last: int) -> None:
    """Titles above the first panels, axes below the last."""
    grid[0, 0].set_title("how the samples spread", fontsize="medium")
    grid[0, 1].set_title("over their median, in order", fontsize="medium")
    grid[-1, 0].set(xscale="log", xlabel="time [ms], median and 95 % interval")
    label = "place in the series, line: running median"
    grid[-1, 1].set(xscale="log", xlim=(0.8, 1.25 * last), xlabel=label)
    for axes in grid[-1]:
        plain_numbers(axes, "x")


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one problem, attention first: most implementations, most work, most samples."""
    attention = rows[rows["workload"] == "attention"]
    rows = rows if attention.empty else attention
    work = rows["flop"].fillna(0) / rows["direction"].map(PASSES).fillna(1)
    groups = rows.assign(work=work).groupby(problem_columns(rows), dropna=False, sort=False)
    return max(
        (group for _, group in groups),
        key=lambda group: (len(group), group["work"].max(), group["samples"].sum()),
    )


def _spread(axes: Axes, row: Row) -> None:
    """Samples along x; their height means nothing."""
    series = np.array(row["samples_s"]) / units.UNITS["ms"]
    height = (0.5 + np.arange(len(series)) * GOLDEN) % 1 - 0.5
    axes.plot(series, height, **_dots(row, len(series)))
    median, low, high = (row[name] / units.UNITS["ms"] for name in ("time_s", "time_low_s", "time_high_s"))
    axes.hlines([0], [low], [high], color="black", linewidth=3, alpha=0.7)
    axes.vlines([median], -0.75, 0.75, color="black", linewidth=1.2)
    axes.set(ylim=(-0.9, 0.9), yticks=[])
    count = f"{len(series)} sample{'s' * (len(series) != 1)}"
    time = units.time(row["time_s"], row["time_low_s"], row["time_high_s"])
    words = f"{row['name']}\n{time}\n{count}"
    axes.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=8)


def _order(axes: Axes, row: Row) -> None:
    """A warm-up shows at the left, a drift as a slope."""
    series = pd.Series(row["samples_s"], index=range(1, len(row["samples_s"]) + 1)) / row["time_s"]
    axes.plot(series, **_dots(row, len(series)))
    running = series.rolling(max(1, len(series) // 10), center=True, min_periods=1).median()
    axes.plot(running, color="black", linewidth=1, alpha=0.7)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, LEAST_SPREAD[0]), max(high, LEAST_SPREAD[1]))
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: units.ratio(value)))
    axes.tick_params(axis="y", labelsize=8)
    axes.axhline(1, color="0.7", linewidth=0.8, zorder=0)


def _dots(row: Row, count: int) -> dict[str, Any]:
    return {
        "color": colour(row["name"]),
        "marker": "o",
        "markersize": 3,
        "linestyle": "",
        "alpha": 0.6,
        "rasterized": count > MANY,
    }
