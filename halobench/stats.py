"""What a series of samples says: its median, and the interval that holds the true median."""

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
    """From order statistics: nothing is assumed of the distribution; 6 samples are the least for 95 %."""
    if not samples:
        return Summary(nan, nan, nan)
    interval = stats.quantile_test(samples, p=0.5).confidence_interval(CONFIDENCE)
    return Summary(median(samples), float(interval.low), float(interval.high))


@dataclass(frozen=True, kw_only=True)
class Stop:
    """When a series of samples is long enough: precise, or long, or out of patience."""

    seconds: float = 1.0  # of samples: the budget of a case
    precision: float = 0.01  # half width of the interval, relative to the median
    min_samples: int = 6
    max_samples: int = 10_000
    patience: float = 6.0  # times the budget: slow calls end with fewer samples than the least

    def reached(self, samples: Sequence[float]) -> bool:
        spent = sum(samples)
        if spent >= self.patience * self.seconds:
            return True
        if len(samples) < self.min_samples:
            return False
        if len(samples) >= self.max_samples or spent >= self.seconds:
            return True
        return summary(samples).half_width <= self.precision
