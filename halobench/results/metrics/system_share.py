"""What the operating system takes of the CPU time."""

import pandas as pd

from halobench.results.derived import metric


@metric(unit="share", better="lower")
def system_share(frame: pd.DataFrame) -> pd.Series:
    """System time over CPU time: page faults, and threads that are put to sleep and woken."""
    return frame["system_s"] / (frame["user_s"] + frame["system_s"])
