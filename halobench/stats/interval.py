"""The median of a series of samples and its confidence interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from statistics import median

from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """The median and its 95 % interval; nan without samples, the interval nan where there are too few."""

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the median."""
        return (self.high - self.low) / 2 / self.median


def summary(samples: Sequence[float]) -> Summary:
    """Return the median and its 95 % interval from order statistics: any distribution, 6 samples at least."""
    if not samples:
        return Summary(nan, nan, nan)
    interval = stats.quantile_test(samples, p=0.5).confidence_interval(CONFIDENCE)
    return Summary(median(samples), float(interval.low), float(interval.high))
