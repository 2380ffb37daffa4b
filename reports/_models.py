"""What reports of models share: which rows, times beside those of another model, and points along x."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from halobench.report import colour, marker
from halobench.report.style import AS_IS

from ._select import measured

TIMES = ("time_s", "time_low_s", "time_high_s")
SETTINGS = ("direction", "batch", "dtype", "mode", "layout", "device", "threads", "allocator")
REFERENCE = "_reference"
MOST = 4  # panels of a figure: the settings at which the most was measured


def measured_models(frame: pd.DataFrame) -> pd.DataFrame:
    """Models that were timed, each with a name for what is inside."""
    rows = measured(frame, "model")
    return rows.assign(implementation=rows["implementation"].replace("", AS_IS))


def image_times(rows: pd.DataFrame) -> list[pd.Series]:
    """Seconds an image: the median and the ends of its interval."""
    return [rows[name] / rows["batch"] for name in TIMES]


def beside(rows: pd.DataFrame, references: pd.DataFrame) -> pd.DataFrame:
    """Rows that have a reference at the same settings, with the times of the fastest such."""
    fastest = references.sort_values("time_s").drop_duplicates(list(SETTINGS))
    return rows.merge(fastest[[*SETTINGS, *TIMES]], on=list(SETTINGS), suffixes=("", REFERENCE))


def slower(rows: pd.DataFrame) -> list[pd.Series]:
    """Times over those of the reference; at the ends both medians are at the ends of their intervals."""
    middle, low, high = (rows[name] for name in TIMES)
    reference, reference_low, reference_high = (rows[name + REFERENCE] for name in TIMES)
    return [middle / reference, low / reference_high, high / reference_low]


def fullest(groups: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Those with a single model compare nothing, and are shown where there is no other."""
    telling = [part for part in groups if part["model"].nunique() > 1] or list(groups)
    return sorted(telling, key=len, reverse=True)[:MOST]


def across(
    axes: Axes, name: str, values: Sequence[pd.Series], heights: Sequence[float] | pd.Series, **look: Any
) -> None:
    """An implementation's points along x, `values` being the middle and, if known, the interval's ends."""
    middle, *ends = values
    style: dict[str, Any] = {"color": colour(name), "marker": marker(name), "markersize": 5, "linewidth": 1}
    if ends:
        axes.hlines(heights, *ends, color=colour(name), linewidth=2, alpha=0.6)
    axes.plot(middle, heights, label=name, **style | look)
