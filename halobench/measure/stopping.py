"""When a series of samples is long enough."""

from collections.abc import Sequence
from dataclasses import dataclass

from halobench.stats.interval import summary


@dataclass(frozen=True, kw_only=True)
class StoppingCriterion:
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
