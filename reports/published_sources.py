"""Where the published figures come from."""

import pandas as pd

from halobench import units
from halobench.report import Nothing, report
from halobench.report.markdown import plain, table
from halobench.results.published import published

HEADER = ("family", "model", "source", "read there", "image [px]", "parameters", "top-1")


@report("published_sources", section="sources", order=10)
def published_sources(frame: pd.DataFrame) -> str:
    """Published accuracies and their sources."""
    if set(frame["workload"]) == {"attention"}:
        return Nothing("No network was planned.\n")
    lines = [
        [
            plain(row["family"]),
            plain(row["label"]),
            plain(row["source"]),
            "yes" if row["verified"] else "no",
            units.number(row["image_size"]),
            units.count(row["params"]),
            units.percent(row["top1"]),
        ]
        for row in published().to_dict("records")
    ]
    return table(HEADER, lines, words=4) if lines else "There are no published figures.\n"
