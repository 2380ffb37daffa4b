"""How fast the work is done, and how much of it was asked for."""

import pandas as pd

from halobench.results.derived import metric


@metric(unit="TFLOP/s", better="higher")
def throughput(frame: pd.DataFrame) -> pd.Series:
    """Useful operations per second; slots outside the map and pairs outside the window do not count."""
    return frame["flop"] / frame["time_s"] / 1e12


@metric(unit="GB/s", better="higher")
def bandwidth(frame: pd.DataFrame) -> pd.Series:
    """Bytes per second that every implementation must move; the real traffic is this or more."""
    return frame["min_bytes"] / frame["time_s"] / 1e9


@metric(unit="x", better="lower")
def waste(frame: pd.DataFrame) -> pd.Series:
    """Executed over useful floating point operations."""
    return frame["flop_executed"] / frame["flop"]
