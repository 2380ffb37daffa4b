"""What figures of accuracy share: its axis, and how a figure that is second hand looks."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

HOLLOW = "white"  # the fill of a figure that was not read in its own source
LABEL = "top-1 accuracy on ImageNet-1k [%]"


def accuracy_axis(axes: Axes) -> None:
    """Along y, with room for labels around the points."""
    axes.set_ylabel(LABEL)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.grid(color="0.92")
    axes.margins(0.1)


def mark(fill: str | None = None, **look: Any) -> Line2D:
    """Of a legend: a black circle, filled or hollow."""
    style = {"linestyle": "", "marker": "o", "color": "black", "markerfacecolor": fill or "black"}
    return Line2D([], [], **style | look)


def sources() -> dict[str, Line2D]:
    """The legend's lines about filled and hollow markers."""
    return {"filled: read in its source": mark(), "hollow: second hand, unverified": mark(HOLLOW)}
