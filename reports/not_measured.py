"""What is missing from the other reports, and why."""

import pandas as pd

from halobench.report import report
from halobench.report.markdown import plain, table
from halobench.results.record import BAD

HEADER = ("status", "reason", "of", "for example", "cases")


@report("not_measured", section="measurement", order=30)
def not_measured(frame: pd.DataFrame) -> str:
    """What was not measured, and why."""
    rest = frame[frame["status"] != "ok"]
    if rest.empty:
        return "Everything that was planned was measured.\n"
    whose = rest["model"].where(rest["workload"] == "model", rest["implementation"])
    groups = rest.assign(whose=whose).groupby(["status", "reason"], sort=False, dropna=False)
    largest_first = sorted((group for _, group in groups), key=len, reverse=True)
    broken_first = sorted(largest_first, key=lambda group: group["status"].iloc[0] not in BAD)
    return f"{len(rest)} of {len(frame)} planned cases, what is broken first.\n\n" + table(
        HEADER, [_line(group) for group in broken_first], words=4
    )


def _line(group: pd.DataFrame) -> list[str]:
    first = group.iloc[0]
    whose = ", ".join(sorted(set(group["whose"])))
    return [*map(plain, (first["status"], first["reason"], whose, first["case"])), str(len(group))]
