"""Speed-up over the baseline."""

import pandas as pd

from halobench.results.derived import BASELINE, metric, over


@metric(unit="x", better="higher")
def speedup(frame: pd.DataFrame) -> pd.Series:
    """Time of the baseline `naive_global` on the same problem and device, over this time."""
    return over(frame, "time_s", BASELINE) / frame["time_s"]
