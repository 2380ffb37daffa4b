"""Where the published figures come from."""

import pandas as pd

from halobench import text
from halobench.published import published
from halobench.report import report

from ._tables import plain, table

HEADER = ("family", "model", "source", "read there", "image [px]", "parameters", "top-1")


@report("published_sources")
def published_sources(frame: pd.DataFrame) -> str:
    """Published accuracies and their sources."""
    lines = [
        [
            plain(row["family"]),
            plain(row["label"]),
            plain(row["source"]),
            "yes" if row["verified"] else "no",
            text.number(row["image_size"]),
            text.count(row["params"]),
            text.percent(row["top1"]),
        ]
        for row in published().to_dict("records")
    ]
    return table(HEADER, lines, words=4) if lines else "There are no published figures.\n"
