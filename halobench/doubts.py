"""What a reader should know of a run's times before believing them, in a line each."""

from collections.abc import Iterator

import pandas as pd

from halobench.text import number, percent

SYSTEM = 0.1  # of CPU time in the system's hands: memory is faulted in, or threads are put to sleep and woken
BUSY_CORES = 0.1  # that others use: more than the background of a desktop


def doubts(frame: pd.DataFrame) -> Iterator[str]:
    """Where the system's time or other processes weigh; nothing where neither does. The frame has metrics."""
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
