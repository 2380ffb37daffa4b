"""What figures of accuracy share: the axes, the Pareto front, and how a figure that is second hand looks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from halobench import units
from halobench.results.published import MORE_DATA

from .._axes import plain_numbers

HOLLOW = "white"  # the fill of a figure that was not read in its own source
DATA = "ImageNet-1k"
STEP: dict[str, Any] = {"color": "0.6", "linewidth": 1.2, "zorder": 1}


@dataclass(frozen=True)
class Cost:
    """What accuracy is shown over: the rows' column `cost`."""

    label: str  # of the axis, with its unit
    better: str  # of a model with less of it: `is smaller`
    number: Callable[[float], str] = units.number  # along the axis


def accuracy_axes(axes: Axes, cost: Cost, data: str = DATA) -> None:
    """Over a cost, with room for labels around the points."""
    axes.set(xscale="log", xlabel=cost.label, ylabel=f"top-1 accuracy on {data} [%]")
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.margins(0.1)
    plain_numbers(axes, "x", cost.number)


def more_data(rows: pd.DataFrame) -> pd.Series:
    """Whether a model was trained on more than what it is tested on: that is another race."""
    return rows["family"].str.contains(MORE_DATA, regex=False)


def front(axes: Axes, rows: pd.DataFrame, **look: Any) -> None:
    """The Pareto front: a step up at each model that is more accurate than all that cost no more."""
    rows = rows.sort_values(["cost", "top1"], ascending=[True, False])
    best = rows[rows["top1"] > rows["top1"].cummax().shift(fill_value=0)]
    axes.plot(best["cost"], best["top1"], drawstyle="steps-post", **STEP | look)


def front_key(cost: Cost) -> dict[str, Artist]:
    """The legend's line about the front."""
    return {f"Pareto front: none that {cost.better} is as accurate": Line2D([], [], **STEP)}


def mark(fill: str | None = None, **look: Any) -> Line2D:
    """Return a mark of the legend: a black circle, filled or hollow."""
    style = {"linestyle": "", "marker": "o", "color": "black", "markerfacecolor": fill or "black"}
    return Line2D([], [], **style | look)


def sources() -> dict[str, Artist]:
    """The legend's lines about filled and hollow markers."""
    return {"filled: read in its source": mark(), "hollow: second hand, unverified": mark(HOLLOW)}
