"""What figures of models share: which rows, the time of an image, and points along x with their intervals."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from halobench.report import AS_IS, colour, marker

from ._rows import measured

TIMES = ("time_s", "time_low_s", "time_high_s")


def measured_models(frame: pd.DataFrame) -> pd.DataFrame:
    """Models that were timed, each with a name for what is inside."""
    rows = measured(frame, "model")
    return rows.assign(implementation=rows["implementation"].replace("", AS_IS))


def image_times(rows: pd.DataFrame) -> list[pd.Series]:
    """Seconds an image: the median and the ends of its interval."""
    return [rows[name] / rows["batch"] for name in TIMES]


def across(
    axes: Axes, name: str, values: Sequence[pd.Series], heights: Sequence[float] | pd.Series, **look: Any
) -> None:
    """An implementation's points along x, `values` being the middle and the ends of the interval."""
    middle, *ends = values
    style: dict[str, Any] = {"color": colour(name), "marker": marker(name), "markersize": 5, "linewidth": 1}
    axes.hlines(heights, *ends, color=colour(name), linewidth=2, alpha=0.6)
    axes.plot(middle, heights, label=name, **style | look)
