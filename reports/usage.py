"""What times on a CPU are made of, where that is not the work alone."""

import pandas as pd

from halobench import units
from halobench.axes import Row
from halobench.report import Nothing, report
from halobench.report.caveats import BUSY_CORES, SYSTEM
from halobench.report.markdown import plain, table
from halobench.report.words import said

from ._select import asked, measured

HEADER = (
    *("implementation", "problem", "time", "user", "system", "share of the system"),
    *("page faults", "waits", "put aside", "cores of others"),
)
EXPLAINED = (
    "CPU time of all threads, page faults and context switches (a thread waits, or is put aside for another) "
    "are averages of a timed call; the cores of others are what other processes used meanwhile. Cases are "
    "listed in which the system's share is over a tenth, or others used over a tenth of a core.\n\n"
)


@report("usage", section="measurement", order=20)
def usage(frame: pd.DataFrame) -> str:
    """What the time is made of, where the system or other processes had a share in it."""
    rows = pd.concat([measured(frame, workload) for workload in ("attention", "model")])
    rows = rows[(rows["device"] == "cpu") & rows["user_s"].notna()]
    if rows.empty:
        return Nothing("No case on a CPU says what its time is made of.\n")
    told = rows[(rows["system_share"] > SYSTEM) | (rows["others_cores"] > BUSY_CORES)]
    if told.empty:
        return f"In none of {len(rows)} cases did the system or other processes have a tenth.\n"
    told = told.sort_values("system_share", ascending=False, kind="stable")
    return EXPLAINED + table(HEADER, [_line(told.loc[[place]]) for place in told.index], words=2)


def _line(alone: pd.DataFrame) -> list[str]:
    """Return the line of a frame's only row."""
    row: Row = alone.iloc[0].to_dict()
    return [
        plain(row["implementation"]) or units.NOTHING,
        plain(said(row, asked(alone), usual=False)),
        *(units.seconds(row[name]) for name in ("time_s", "user_s", "system_s")),
        units.percent(row["system_share"]),
        *(units.number(row[name]) for name in ("page_faults", "voluntary_switches", "involuntary_switches")),
        units.number(row["others_cores"]),
    ]
