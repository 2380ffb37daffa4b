"""What part of the time of others' code is our wrapper's: the copies that bring its inputs into form."""

import pandas as pd

from halobench import units
from halobench.report import Nothing, report
from halobench.report.markdown import plain, table
from halobench.report.words import said

from ._select import asked, measured

HEADER = ("implementation", "problem", "layout", "time", "of it our copies", "share")


@report("peers", section="measurement", order=10)
def peers(frame: pd.DataFrame) -> str:
    """How much of the time of others' code is spent on our copies."""
    rows = measured(frame, "attention").dropna(subset="adapt_s")
    if rows.empty:
        return Nothing("No case of others' code that needs its inputs in another form was measured.\n")
    rows = rows.assign(share=rows["adapt_s"] / rows["time_s"]).sort_values(
        ["implementation", "layout", "time_s"]
    )
    lines = [
        [
            plain(row["implementation"]),
            plain(said(row, set(asked(rows)) - {"layout"}, usual=False)),
            plain(row["layout"]),
            units.seconds(row["time_s"]),
            units.seconds(row["adapt_s"]),
            units.percent(row["share"]),
        ]
        for row in rows.to_dict("records")
    ]
    return (
        "Medians, each measured for itself, the copies with their own backward pass where there is one. Code "
        "whose inputs were in its form would take the time without them.\n\n" + table(HEADER, lines, words=3)
    )
