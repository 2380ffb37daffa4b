"""What a reader should know of a run's times before believing them, in a line each."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from halobench.units import number, percent, seconds

SYSTEM = 0.1  # of CPU time in the system's hands: memory is faulted in, or threads are put to sleep and woken
CLEARLY = 1.05  # times the device's: what is less is no other time
BUSY_CORES = 0.1  # that others use: more than the background of a desktop


def doubts(frame: pd.DataFrame) -> Iterator[str]:
    """Say where the system's time, other processes or the host weigh; nothing where none does.

    The frame has metrics.
    """
    cases = frame[(frame["status"] == "ok") & (frame["device"] == "cpu")]
    by_system = cases[cases["system_share"] > SYSTEM]
    if not by_system.empty:
        most = by_system.loc[by_system["system_share"].idxmax()]
        yield (
            f"system time is over a tenth of the CPU time in {len(by_system)} of {len(cases)} cases, "
            f"most in {most['case']}: {percent(most['system_share'])}, with {number(most['page_faults'])} "
            f"page faults and {number(most['voluntary_switches'])} waits a call"
        )
    disturbed = cases[cases["others_cores"] > BUSY_CORES]
    if not disturbed.empty:
        most = disturbed.loc[disturbed["others_cores"].idxmax()]
        yield (
            f"other processes used over {BUSY_CORES:g} of a core during {len(disturbed)} of {len(cases)} "
            f"cases, most during {most['case']}: {number(most['others_cores'])} cores; stop them and measure "
            "again"
        )
    launched = frame[(frame["status"] == "ok") & (frame["device"] == "cuda")]
    held = launched[by_host(launched)]
    if not held.empty:
        most = held.loc[(held["host_s"] / held["time_s"]).idxmax()]
        yield (
            f"the host takes longer than the device in {len(held)} of {len(launched)} cases, where one call "
            f"after the other goes at its pace, most in {most['case']}: {seconds(most['host_s'])} for "
            f"{seconds(most['time_s'])} of work"
        )


def by_host(rows: Any) -> Any:
    """Whether what a caller of a GPU waits for is the host, not the device: of a frame, or of one row."""
    return (rows["device"] == "cuda") & (rows["host_s"] > CLEARLY * rows["time_s"])
