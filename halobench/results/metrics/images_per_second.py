"""Throughput of networks."""

import pandas as pd

from halobench.results.derived import metric


@metric(unit="images/s", better="higher")
def images_per_second(frame: pd.DataFrame) -> pd.Series:
    """Images per second of models, one call after the other, at the pace of the slower of host and device."""
    slower = frame[["time_s", "host_s"]].max(axis=1).where(frame["device"] == "cuda", frame["time_s"])
    return (frame["batch"] / slower).where(frame["workload"] == "model")
