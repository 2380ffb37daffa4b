"""The contract of a metric: a column derived from stored measurements, so that old runs get new metrics too.

Every file of `results/metrics/` holds metrics, each a function from the frame to a column of its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from halobench.axes import FIELDS
from halobench.registry import Registry

GROUP = "halobench.metrics"  # entry points of this group are metrics
BASELINE = "naive_global"

Compute = Callable[[pd.DataFrame], pd.Series]
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A column of every report's frame: how it is computed, in what unit, and which way is better."""

    name: str
    unit: str
    better: Better
    compute: Compute


METRICS: Registry[Metric] = Registry("metric", GROUP, file_per_name=False)


def metric(*, unit: str, better: Better) -> Callable[[Compute], Compute]:
    """Register a function from the stored frame to one column; the column has its name.

    Args:
        unit: what stands behind the numbers; `x` for a ratio, `share` for a part of one.
        better: which way is better.

    Returns:
        A decorator that returns the function as it is.

    Raises:
        ValueError: the name is taken.

    Example:
        >>> @metric(unit="s", better="lower")
        ... def longest_s(frame: pd.DataFrame) -> pd.Series:
        ...     return frame["time_high_s"]
        >>> METRICS["longest_s"].unit
        's'
        >>> METRICS.remove("longest_s")
    """

    def register(compute: Compute) -> Compute:
        METRICS.add(compute.__name__, Metric(compute.__name__, unit, better, compute))
        return compute

    return register


def with_metrics(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame and a column a metric; what was not measured stays nan."""
    return frame.assign(**{name: entry.compute(frame) for name, entry in METRICS.items()})


def problem_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that say what was asked: rows alike in them differ in the implementation only."""
    return [
        name for name in frame.columns if name == "workload" or (name in FIELDS and name != "implementation")
    ]


def over(frame: pd.DataFrame, column: str, implementation: str) -> pd.Series:
    """Return, for each row, the value of an implementation on the same problem; nan where it has none."""
    keys = [frame[name].astype("string").fillna("") for name in problem_columns(frame)]
    known = frame[column].where(frame["implementation"] == implementation)
    return known.groupby(keys).transform("max")
