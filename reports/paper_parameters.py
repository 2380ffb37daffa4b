"""Does a network here have as many parameters as the paper says? Those counted beside those printed."""

import pandas as pd

from halobench import units
from halobench.report import Nothing, report
from halobench.report.markdown import plain, table
from halobench.results.published import published

HEADER = ("network", "model", "printed", "counted", "difference", "of the printed")


@report("paper_parameters", section="published", order=10)
def paper_parameters(frame: pd.DataFrame) -> str:
    """Parameters of the paper's networks, printed and counted."""
    counted = frame.dropna(subset="params").drop_duplicates("model")[["model", "params"]]
    printed = published().dropna(subset="params")
    printed = printed[printed["family"].str.fullmatch(r"HaloNet.*\(paper\)")]
    rows = printed.merge(counted, on="model", suffixes=("", "_counted"))
    if rows.empty:
        return Nothing("No network was measured of which the paper prints the parameters.\n")
    rows = rows.assign(difference=rows["params_counted"] - rows["params"])
    lines = [
        [
            plain(row["label"]),
            plain(row["model"]),
            units.count(row["params"]),
            units.count(row["params_counted"]),
            units.count(row["difference"]),
            units.percent(row["difference"] / row["params"]),
        ]
        for row in rows.to_dict("records")
    ]
    return (
        "The paper (arXiv 2103.12731) prints two or three digits, and says about 67 million of all of H7.\n\n"
        + table(HEADER, lines, words=2)
    )
